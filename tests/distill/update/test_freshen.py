"""A delta of new events: the catalogue of an update without passes, for devices with the bundle."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pocketrec.cli import main
from pocketrec_distill.config import load_config
from pocketrec_distill.errors import DataError, NotRecoverableError
from pocketrec_distill.pipeline.freshen import freshen_bundle
from pocketrec_distill.pipeline.update import update_bundle
from pocketrec_runtime import Engine, read_bundle, read_delta
from pocketrec_runtime.errors import DeltaError

from .conftest import GOLDEN


def quiet(_line: str) -> None:
    """Says nothing."""


def test_a_delta_makes_the_catalogue_of_an_update_without_passes(
    followed: Path, tables: Path, tmp_path: Path
) -> None:
    config = load_config(tables / "config.toml")
    given, old = (tables / "new.csv", tables / "items.csv"), tables / "old.csv"
    out = tmp_path / "today.delta"
    report = freshen_bundle(followed, *given, out, replay=old, config=config, say=quiet)
    still = replace(config, update=replace(config.update, epochs=0))
    update_bundle(followed, *given, tmp_path / "new.bundle", replay=old, config=still, say=quiet)
    device = Engine.open(followed)
    fresh, updated = device.with_delta(read_delta(out)), Engine.open(tmp_path / "new.bundle")
    expected, found = updated.catalogue, fresh.catalogue
    assert list(found.ids) == list(expected.ids)
    assert len(found) == 34
    np.testing.assert_array_equal(found.bias, expected.bias)
    np.testing.assert_allclose(found.popularity, expected.popularity, atol=1e-7)
    np.testing.assert_allclose(found.vectors, expected.vectors, atol=1e-5)
    assert {name: list(values) for name, values in found.columns.items()} == {
        name: list(values) for name, values in expected.columns.items()
    }
    assert report["new"]["after"]["ndcg@10"] > report["new"]["before"]["ndcg@10"]
    assert report["old"]["after"]["users"] == report["old"]["before"]["users"] > 0
    assert (report["model"], report["new_items"]) == (fresh.fingerprint, 4)
    assert report["delta_bytes"] == out.stat().st_size
    # What was read of a history before is read on.
    state, _ = device.prefill([0, 1])
    assert fresh.reader.can_read(state)
    # A later delta, laid over this one or over the bundle.
    again = fresh.with_delta(read_delta(out)).catalogue
    np.testing.assert_array_equal(again.bias, found.bias)
    assert list(again.ids) == list(found.ids)
    with pytest.raises(DeltaError, match="for model"):
        Engine.open(GOLDEN).with_delta(read_delta(out))


def test_without_a_trend_biases_stay_and_popularity_follows(tables: Path, tmp_path: Path) -> None:
    out = tmp_path / "today.delta"
    config = load_config(tables / "config.toml")
    report = freshen_bundle(GOLDEN, tables / "new.csv", None, out, config=config, say=quiet)
    delta, catalogue = read_delta(out), read_bundle(GOLDEN).contents.catalogue
    assert delta.known_bias is None
    fresh = Engine.open(GOLDEN).with_delta(delta).catalogue
    walked = [place for place, item in enumerate(catalogue.ids) if item in ("0-8", "0-9")]
    assert (fresh.popularity[walked] > catalogue.popularity[walked]).all()
    assert "old" not in report, "nobody said what was before"


def test_events_that_ask_nothing_still_tell_what_is_wanted(
    followed: Path, tables: Path, tmp_path: Path
) -> None:
    """One event a user: nothing to learn from or to measure, and demand all the same."""
    rows = [f"u{user},2-{user % 3},{2000 + user}" for user in range(9)]
    single = tmp_path / "single.csv"
    single.write_text("\n".join(["user_id,item_id,timestamp", *rows]) + "\n", encoding="utf-8")
    out, config = tmp_path / "today.delta", load_config(tables / "config.toml")
    report = freshen_bundle(followed, single, None, out, config=config, say=quiet)
    assert "new" not in report
    with pytest.raises(DataError, match="no new event has another"):
        update_bundle(followed, single, None, tmp_path / "no.bundle", config=config, say=quiet)
    assert not (tmp_path / "no.bundle").exists()
    engine = Engine.open(followed)
    moved = engine.with_delta(read_delta(out)).catalogue.bias - engine.catalogue.bias
    wanted = [engine.catalogue.index_of(f"2-{place}") for place in range(3)]
    others = [place for place in range(30) if place not in wanted]
    assert moved[wanted].min() > moved[others].max()


def test_a_bundle_that_cannot_be_trained_on_is_freshened(
    tiny_bundle: Path, tables: Path, tmp_path: Path
) -> None:
    """Its tower is of no student's family, and nothing reads texts: new items start in the mean."""
    rows = [f"u{user},{item},{at}" for user in range(9) for at, item in enumerate(("181", "new"))]
    events = tmp_path / "events.csv"
    events.write_text("\n".join(["user_id,item_id,timestamp", *rows]) + "\n", encoding="utf-8")
    config, out = load_config(tables / "config.toml"), tmp_path / "today.delta"
    with pytest.raises(NotRecoverableError):
        update_bundle(tiny_bundle, events, None, tmp_path / "new", config=config, say=quiet)
    freshen_bundle(tiny_bundle, events, None, out, config=config, say=quiet)
    old = Engine.open(tiny_bundle).catalogue
    fresh = Engine.open(tiny_bundle).with_delta(read_delta(out)).catalogue
    place = fresh.index_of("new")
    assert place == len(old)
    np.testing.assert_allclose(fresh.vectors[place], old.vectors.mean(axis=0), atol=0.02)
    # Nine of the eighteen new events, and half of the old shares beside them.
    assert fresh.popularity[place] == pytest.approx(0.25)


def test_the_command_writes_a_delta_and_its_report(
    followed: Path, tables: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "today.delta"
    arguments = ["update", str(followed), "--interactions", str(tables / "new.csv")]
    assert main([*arguments, "--delta", str(out), "--config", str(tables / "config.toml")]) == 0
    said = capsys.readouterr().out
    assert "300 new events, 3 new items" in said
    assert "new events" in said.splitlines()[3]
    report = json.loads((tmp_path / "today-report" / "update-report.json").read_text("utf-8"))
    assert report["schema"] == "pocketrec.update/1"
    assert report["delta_bytes"] == out.stat().st_size < 2_000
    assert main([*arguments, "--out", str(out), "--delta", str(out)]) == 2
    assert main(arguments) == 2
    assert "give either --out" in capsys.readouterr().err
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {followed.name, out.name, "today-report"}, "nothing else is left behind"
