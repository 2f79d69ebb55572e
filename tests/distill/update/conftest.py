"""The golden bundle of three rings of ten items, and new events: ring 0 goes on with new items."""

from pathlib import Path

import numpy as np
import pytest

GOLDEN = Path(__file__).parents[2] / "golden" / "v1_0" / "rings"
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
