"""The golden bundle of three rings of ten items, and new events: ring 0 goes on with new items."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pocketrec_distill.config import load_config
from pocketrec_distill.models.trend import Demand, Followed
from pocketrec_distill.update.data import UpdateTables, read_tables
from pocketrec_runtime import BundleContents, read_bundle, record_golden, write_bundle

GOLDEN = Path(__file__).parents[2] / "golden" / "v1_0" / "rings"
FOLLOWED = Followed(0.4, half_life=500.0)
SETTINGS = """
[run]
threads = 1
[update]
epochs = 10
learning_rate = 5e-3
batch = 16
made_up = 200
"""


@pytest.fixture(scope="session")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `new.csv`, `old.csv`, `items.csv` and `config.toml`."""
    folder = tmp_path_factory.mktemp("update")
    rng = np.random.default_rng(3)
    header = "user_id,item_id,timestamp"
    new, old = [header], [header]
    for user in range(60):
        start = int(rng.integers(6, 9))
        walk = [f"0-{start + step}" for step in range(5)]
        new += [f"n{user},{item},{1000 + step}" for step, item in enumerate(walk)]
    for user in range(90):
        ring, start = user % 3, int(rng.integers(0, 5))
        walk = [f"{ring}-{start + step}" for step in range(5)]
        old += [f"o{user},{item},{step}" for step, item in enumerate(walk)]
    (folder / "new.csv").write_text("\n".join(new) + "\n", encoding="utf-8")
    (folder / "old.csv").write_text("\n".join(old) + "\n", encoding="utf-8")
    lines = ["item_id,title,mood"]
    for item in range(10, 13):
        lines.append(f'0-{item},"Walk {item}, quiet forest",quiet forest')
    lines.append('9-9,"Walk 9, loud city",loud city')
    (folder / "items.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "config.toml").write_text(SETTINGS, encoding="utf-8")
    return folder


def read(tables: Path, replay: bool) -> UpdateTables:
    config = load_config(tables / "config.toml")
    old = tables / "old.csv" if replay else None
    catalogue = read_bundle(GOLDEN).contents.catalogue
    return read_tables(catalogue, tables / "new.csv", tables / "items.csv", old, config)


def none_new(contents: BundleContents) -> np.ndarray:
    """Vectors of new items: there are none, float32 (0, width)."""
    return np.empty((0, contents.model.width), np.float32)


@pytest.fixture
def followed(tmp_path: Path, tables: Path) -> Path:
    """The golden bundle as one that follows the trend of the old events."""
    found = read(tables, replay=True)
    assert found.old is not None
    place = {item: row for row, item in enumerate(found.items.item_ids)}
    items = np.array([place[found.old.item_ids[code]] for code in found.old.items], np.int32)
    ages = (found.old.times.max() - found.old.times).astype(np.float32)
    demand = Demand.of([items], [ages], 30, FOLLOWED.half_life)
    contents = read_bundle(GOLDEN).contents
    bias = np.float32(FOLLOWED.weight) * demand.logits
    catalogue = replace(contents.catalogue, bias=bias, popularity=demand.shares)
    made = replace(contents, catalogue=catalogue, provenance=FOLLOWED.as_provenance())
    golden = [list(query.history) for query in contents.golden.queries]
    write_bundle(tmp_path / "old.bundle", record_golden(made, golden))
    return tmp_path / "old.bundle"
