"""card.json: written, read back, and refused where anything in it is odd."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pocketrec_bench.card import (
    Build,
    Card,
    card_from_json,
    card_to_json,
    read_card,
    this_build,
    write_card_json,
)
from pocketrec_bench.device import DeviceCard
from pocketrec_bench.errors import ResultFormatError
from pocketrec_bench.results import Result


@pytest.fixture
def card(result: Result) -> Card:
    """A card with two results."""
    device = DeviceCard(cpu="Cortex-A72", architecture="arm64", features=("neon",))
    return Card(Build("0.1.0", "abc-dirty"), device, (result, result))


def test_a_card_is_read_back_as_it_was(card: Card, tmp_path: Path) -> None:
    write_card_json(card, tmp_path / "card.json")
    assert read_card(tmp_path) == card
    assert read_card(tmp_path / "card.json") == card
    assert [path.name for path in tmp_path.iterdir()] == ["card.json"]


def _set(*path: str | int, value: object) -> Callable[[Any], None]:
    def change(document: Any) -> None:
        *folders, last = path
        for key in folders:
            document = document[key]
        document[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_set("schema", value="pocketrec.bench_card/2"), "this version reads"),
        (_set("schema", value=["x"]), "this version reads"),
        (_set("owner", value="mary"), "'owner' is missing or unknown"),
        (lambda document: document.pop("device"), "'device' is missing or unknown"),
        (_set("results", value=[]), "has 0 results"),
        (_set("results", value={}), "must be a list"),
        (_set("results", 1, "settings", "k", value="ten"), r"results\[1\].*settings.k is 'ten'"),
        (_set("results", 0, "valid", value=False), "valid is False"),
        (_set("results", 0, "latency", "curve_s", value=[1.0]), "curve has 1 quantiles"),
        (_set("build", "commit", value="\x1b[31m"), "printable"),
        (_set("build", "commit", value="x" * 201), "printable"),
        (_set("device", "power", value="mains"), "fingerprint"),
    ],
)
def test_a_hostile_card_is_refused(card: Card, change: Callable[[Any], None], said: str) -> None:
    document = json.loads(card_to_json(card))
    change(document)
    with pytest.raises(ResultFormatError, match=said):
        card_from_json(json.dumps(document))


@pytest.mark.parametrize(
    "text",
    ["", "[]", "null", "{", "[" * 100_000, '{"a": 1, "a": 2}', '{"schema": NaN}', b"\xff"],
)
def test_what_is_no_card_is_refused(text: str | bytes) -> None:
    with pytest.raises(ResultFormatError):
        card_from_json(text)


def test_a_link_is_not_followed(card: Card, tmp_path: Path) -> None:
    write_card_json(card, tmp_path / "real.json")
    (tmp_path / "card.json").symlink_to(tmp_path / "real.json")
    with pytest.raises(OSError, match="symbolic links"):
        read_card(tmp_path)
    with pytest.raises(ResultFormatError, match="no regular file"):
        read_card(Path("/dev/null"))


def test_a_card_that_is_not_there() -> None:
    with pytest.raises(FileNotFoundError):
        read_card(Path("nowhere/card.json"))


def _git(folder: Path, *words: str) -> None:
    name = ("-c", "user.name=a", "-c", "user.email=a@b")
    subprocess.run(["git", "-C", folder, *name, *words], check=True, capture_output=True)


def test_the_build_is_that_of_the_checkout(tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    (tmp_path / "a.py").write_text("1\n")
    _git(tmp_path, "init", "-q")
    _git(tmp_path, "add", "a.py")
    _git(tmp_path, "commit", "-qm", "first")
    clean = this_build(tmp_path).commit
    assert len(clean) == 40
    (tmp_path / "a.py").write_text("2\n")
    assert this_build(tmp_path).commit == f"{clean}-dirty"
    assert this_build(tmp_path / "inside").commit == "unknown"
    assert this_build(tmp_path / "nowhere").commit == "unknown"
