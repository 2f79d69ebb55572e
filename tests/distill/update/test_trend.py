"""A trend is renewed from new events: exactly with the old ones, and as it would fade without."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pocketrec_distill.config import load_config
from pocketrec_distill.models.trend import Followed
from pocketrec_distill.pipeline.update import update_bundle
from pocketrec_distill.update.data import arrange, read_tables
from pocketrec_distill.update.trend import renewed
from pocketrec_runtime import Engine, read_bundle, record_golden, write_bundle

from .conftest import FOLLOWED, GOLDEN, read


def test_with_the_old_events_it_is_counted(followed: Path, tables: Path) -> None:
    found = read(tables, replay=True)
    events = arrange(found, 50, 0)
    held_out = len(found.new) - int(events.shown.sum())
    assert 10 < held_out < 40
    assert held_out == len(events.new_validation) + len(events.new_test)
    demand = renewed(read_bundle(followed).contents.catalogue, FOLLOWED, found, events)
    assert found.old is not None
    counts, recent = np.zeros((2, 34))
    last = found.new.times[events.shown].max()
    for log, shown in ((found.old, np.ones(len(found.old), bool)), (found.new, events.shown)):
        for code, time in zip(log.items[shown], log.times[shown], strict=True):
            place = found.items.item_ids.index(log.item_ids[code])
            counts[place] += log is found.old
            recent[place] += 0.5 ** ((last - time) / FOLLOWED.half_life)
    np.testing.assert_allclose(demand.recent, recent / recent.mean(), rtol=1e-5)
    # What the student rests on is what it learned from: the old events.
    np.testing.assert_allclose(demand.overall[:30], counts[:30] / counts[:30].mean(), atol=1e-4)
    assert not demand.overall[30:].any()
    assert demand.logits[30:33].min() > 0, "new items are wanted of late"
    others = demand.logits[10:30]
    assert others[counts[10:30] > 0].max() < 0, "the other rings no more"


def test_without_them_old_demand_fades(followed: Path, tables: Path) -> None:
    found = read(tables, replay=False)
    events = arrange(found, 50, 0)
    catalogue = read_bundle(followed).contents.catalogue
    demand = renewed(catalogue, FOLLOWED, found, events)
    # Four seconds of new events are nothing to a half-life of five hundred.
    before = np.append(catalogue.popularity * 30, np.zeros(4))
    left = 0.5 ** (4 / 500)
    assert np.abs(demand.recent - left * before).max() < 0.05
    soon = renewed(catalogue, replace(FOLLOWED, half_life=0.1), found, events)
    assert soon.recent[10:30].max() < 1e-6, "all that is left of old demand is forgotten"
    # What was wanted over all comes back from the bundle, once and again.
    ratio = np.exp(catalogue.bias / FOLLOWED.weight)
    overall = (catalogue.popularity * 30 + 0.5) / ratio - 0.5
    np.testing.assert_allclose(demand.overall[:30], overall, atol=1e-4)


def test_an_update_ranks_by_the_renewed_trend(followed: Path, tables: Path, tmp_path: Path) -> None:
    config = load_config(tables / "config.toml")
    out = tmp_path / "new.bundle"
    arguments = (tables / "new.csv", tables / "items.csv", out)
    report = update_bundle(
        followed, *arguments, replay=tables / "old.csv", config=config, say=lambda _line: None
    )
    found = read(tables, replay=True)
    demand = renewed(
        read_bundle(followed).contents.catalogue, FOLLOWED, found, arrange(found, 50, 0)
    )
    updated = read_bundle(out)
    catalogue = updated.contents.catalogue
    expected = np.float32(FOLLOWED.weight) * demand.logits
    np.testing.assert_allclose(catalogue.bias, expected, rtol=1e-5)
    np.testing.assert_allclose(catalogue.popularity, demand.shares, rtol=1e-5)
    assert Followed.of(updated.manifest.provenance) == FOLLOWED, "the next update renews it too"
    assert report["new"]["after"]["ndcg@10"] > report["new"]["before"]["ndcg@10"]
    Engine.open(out)


def test_a_bundle_that_overstates_its_trend_stays_finite(followed: Path, tables: Path) -> None:
    found = read(tables, replay=False)
    catalogue = read_bundle(followed).contents.catalogue
    absurd = renewed(catalogue, Followed(1e-300, 1e-300), found, arrange(found, 50, 0))
    assert np.isfinite(absurd.logits).all()


def test_before_and_after_rank_with_the_bias(tables: Path, tmp_path: Path) -> None:
    """A bias of a bundle's own is no trend, and stays: without a pass nothing changes."""
    contents = read_bundle(GOLDEN).contents
    bias = np.random.default_rng(0).normal(size=30).astype(np.float32) * 9
    biased = replace(contents, catalogue=replace(contents.catalogue, bias=bias))
    golden = [list(query.history) for query in contents.golden.queries]
    write_bundle(tmp_path / "biased.bundle", record_golden(biased, golden))
    config = load_config(tables / "config.toml")
    config = replace(config, update=replace(config.update, epochs=0))
    figures = []
    for path in (GOLDEN, tmp_path / "biased.bundle"):
        arguments = (path, tables / "new.csv", None, tmp_path / "new.bundle")
        report = update_bundle(
            *arguments, replay=tables / "old.csv", config=config, say=lambda _line: None
        )
        before, after = (report["old"][when]["ndcg@10"] for when in ("before", "after"))
        assert before == pytest.approx(after, abs=1e-3)
        figures.append(before)
    assert abs(figures[0] - figures[1]) > 0.1


def test_an_order_without_times_renews_nothing(
    followed: Path, tables: Path, tmp_path: Path
) -> None:
    rows = (tables / "new.csv").read_text(encoding="utf-8").splitlines()
    untimed = tmp_path / "untimed.csv"
    untimed.write_text("\n".join(row.rsplit(",", 1)[0] for row in rows) + "\n", encoding="utf-8")
    config = load_config(tables / "config.toml")
    out = tmp_path / "new.bundle"
    update_bundle(
        followed, untimed, tables / "items.csv", out, config=config, say=lambda _line: None
    )
    before, after = (read_bundle(path).contents.catalogue for path in (followed, out))
    np.testing.assert_array_equal(after.bias[:30], before.bias)
    assert not after.bias[30:].any()
    catalogue = read_bundle(followed).contents.catalogue
    timed, items = tables / "new.csv", tables / "items.csv"
    assert not read_tables(catalogue, timed, items, untimed, config).timed, "nor one of the two"
    assert read_tables(catalogue, timed, items, None, config).timed


@pytest.mark.parametrize(
    "said",
    [
        None,
        {},
        [0.4, 500.0],
        {"weight": 0.4},
        {"weight": "0.4", "half_life": 500.0},
        {"weight": 0.0, "half_life": 500.0},
        {"weight": 0.4, "half_life": -1},
    ],
)
def test_what_provenance_does_not_say_is_not_followed(said: object) -> None:
    assert Followed.of({"trend": said}) is None
    assert Followed(0.0, 0.0).as_provenance() == {}
