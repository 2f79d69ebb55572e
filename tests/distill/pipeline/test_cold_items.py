"""`[run] cold_share`: what is held out is in no catalogue, and its text is rendered alike."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pocketrec_distill.config import DistillConfig
from pocketrec_distill.errors import ConfigError
from pocketrec_distill.pipeline.prepare import prepare
from pocketrec_distill.settings import RunSettings


def written(folder: Path) -> tuple[Path, Path]:
    rows = ["user_id,item_id,timestamp"]
    rows += [
        f"u{u},i{(3 * u + t * (1 + u % 3)) % 20},{100 + t}" for u in range(1, 9) for t in range(10)
    ]
    titles = ["item_id,title", *(f"i{i},Thing number {i}" for i in range(20))]
    paths = folder / "interactions.csv", folder / "items.csv"
    for path, lines in zip(paths, (rows, titles), strict=True):
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return paths


def test_cold_items_stand_outside_the_catalogue(tmp_path: Path) -> None:
    said: list[str] = []
    tables = written(tmp_path)
    config = DistillConfig(run=RunSettings(cold_share=0.2))
    data = prepare(*tables, config, said.append)
    whole = prepare(*tables, replace(config, run=RunSettings()), print)
    assert whole.cold is None
    cold = data.cold
    assert cold is not None
    assert len(cold.item_ids) == 4
    assert sorted((*data.item_ids, *cold.item_ids)) == sorted(whole.item_ids)
    assert list(cold.texts) == [f"Thing number {item[1:]}" for item in cold.item_ids]
    assert list(data.texts) == [f"Thing number {item[1:]}" for item in data.item_ids]
    assert "cold items: 4 items with" in said[0]
    assert f"{len(cold.queries)} queries ask for them" in said[0]


def test_queries_are_spelt_in_catalogue_places(tmp_path: Path) -> None:
    tables = written(tmp_path)
    data = prepare(*tables, DistillConfig(run=RunSettings(cold_share=0.2)), print)
    assert data.cold is not None
    met: dict[str, list[str]] = {}
    for line in tables[0].read_text(encoding="utf-8").splitlines()[1:]:
        user, item, _ = line.split(",")
        met.setdefault(user, []).append(item)
    fits = 0
    queries = data.cold.queries
    for history, target in zip(queries.histories, queries.targets.tolist(), strict=True):
        item = data.cold.item_ids[target]
        before = [data.item_ids[place] for place in history]
        fits += any(
            item in events
            and before == [e for e in events[: events.index(item)] if e not in data.cold.item_ids]
            for events in met.values()
        )
    assert fits == len(queries) > 10


def test_a_cold_share_changes_what_is_trained_on(tmp_path: Path) -> None:
    tables = written(tmp_path)
    prints = {
        prepare(
            *tables, DistillConfig(run=RunSettings(cold_share=share, seed=seed)), print
        ).fingerprint
        for share, seed in ((0.0, 0), (0.2, 0), (0.2, 1))
    }
    assert len(prints) == 3


@pytest.mark.parametrize("share", [-0.1, 0.6, np.nan])
def test_a_share_out_of_bounds(share: float) -> None:
    with pytest.raises(ConfigError, match=r"cold_share is .*; give 0 to 0.5"):
        RunSettings(cold_share=share)
