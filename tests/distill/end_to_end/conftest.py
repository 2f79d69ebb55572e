"""A whole run on made-up data: three rings of ten items; users walk along one ring each."""

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pocketrec.cli.app import main

RING, RINGS, USERS = 10, 3, 90
MOODS = ("quiet forest", "loud city", "deep ocean")

SETTINGS = """
[run]
threads = 1

[llm]
model = "{llm}"
layer = 1
precision = "fp32"

[teacher]
width = 16
rank = 2
epochs = 2

[student]
width = 16
hidden = 32
epochs = 12
batch = 16
learning_rate = 1e-2
dropout = 0.1

[control]
epochs = 12
batch = 16
learning_rate = 1e-2
dropout = 0.1

[distillation]
candidates = 12
labelled_positions = 500

[item_tower]
vocabulary = 300
width = 16
epochs = 150

[export]
gguf = "F16"

[gate]
enforce = false  # on rings that any model learns, no model can be ahead
"""


@dataclass(frozen=True)
class Result:
    """What a command left."""

    exit_code: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Workplace:
    """Files of one run."""

    interactions: Path
    items: Path
    config: Path
    bundle: Path
    run_dir: Path

    def distill(self, *more: str) -> Result:
        """Run the command line in this process."""
        return invoke("distill", *self.arguments(), *more)

    def arguments(self) -> list[str]:
        """The fixed call's arguments."""
        named = {
            "--interactions": self.interactions,
            "--items": self.items,
            "--out": self.bundle,
            "--config": self.config,
            "--run-dir": self.run_dir,
        }
        return [word for name, path in named.items() for word in (name, str(path))]


def invoke(*arguments: str) -> Result:
    """One command, in this process, with its output and error apart."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8") for _ in range(2))
    with redirect_stdout(out), redirect_stderr(err):
        code = main(list(arguments))
    for stream in (out, err):
        stream.seek(0)
    return Result(int(code), out.read(), err.read())


def write_tables(folder: Path) -> tuple[Path, Path]:
    """Interactions and items of the rings, as CSV."""
    rng = np.random.default_rng(1)
    rows = ["user_id,item_id,timestamp"]
    for user in range(USERS):
        ring, start = user % RINGS, int(rng.integers(RING))
        length = int(rng.integers(5, RING - 1))
        for step in range(length):
            item = (start + step) % RING
            rows.append(f"u{user},{ring}-{item},{1_000_000 + user * 100 + step}")
    interactions, items = folder / "interactions.csv", folder / "items.csv"
    interactions.write_text("\n".join(rows) + "\n", encoding="utf-8")
    lines = ["item_id,title,mood"]
    for ring in range(RINGS):
        for item in range(RING):
            lines.append(f'{ring}-{item},"Walk {item}, {MOODS[ring]}",{MOODS[ring]}')
    items.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return interactions, items


def make_workplace(folder: Path, llm_folder: Path) -> Workplace:
    """A fresh workplace over the rings."""
    interactions, items = write_tables(folder)
    config = folder / "config.toml"
    config.write_text(SETTINGS.format(llm=llm_folder), encoding="utf-8")
    return Workplace(interactions, items, config, folder / "bundle", folder / "run")


@pytest.fixture
def workplace(tmp_path: Path, llm_folder: Path) -> Workplace:
    """A workplace where nothing has run yet."""
    return make_workplace(tmp_path, llm_folder)


@dataclass(frozen=True)
class FinishedRun:
    """A workplace after one run, and what it reported."""

    place: Workplace
    report: dict[str, Any]
    said: str


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, llm_folder: Path) -> FinishedRun:
    """One run, shared by the tests that only look at what came out."""
    place = make_workplace(tmp_path_factory.mktemp("finished"), llm_folder)
    result = place.distill("--json")
    assert result.exit_code == 0, result.stderr
    return FinishedRun(place, json.loads(result.stdout), result.stderr)
