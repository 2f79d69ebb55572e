"""The script that fills the table of data sets: what it finds, what it asks for, what it writes."""

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pocketrec_distill.config import config_from_mapping

from .conftest import load


@pytest.fixture(scope="module")
def run() -> ModuleType:
    return load("distillation/run.py")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three sets: one with times, one without, one of clicks."""
    small, slice_, dkn = (tmp_path / name for name in ("ml", "amazon-office", "news/dkn"))
    for folder in (small, slice_, dkn):
        folder.mkdir(parents=True)
    (small / "ratings.csv").write_text("userId,movieId,rating,timestamp\n1,2,3,4\n")
    (small / "movies.csv").write_text("movieId,title,genres\n2,Film,Drama\n")
    (slice_ / "interactions.csv").write_text("user_id,item_id,position\n1,2,3\n")
    (dkn / "raw_train.txt").write_text("1\ttitle\t1\t\n")
    return tmp_path


def test_sets_are_found_by_their_files(run: ModuleType, data: Path) -> None:
    assert run.find_sets(data) == {
        "amazon-office": (data / "amazon-office", "tables"), "ml": (data / "ml", "movielens"),
    }  # fmt: skip


def test_one_case_per_split_that_has_a_meaning(run: ModuleType, data: Path) -> None:
    found = {
        name: run.cases_of(name, folder, form, ("leave-one-out", "temporal", "cold"), quick=False)
        for name, (folder, form) in run.find_sets(data).items()
    }
    splits = {name: [case.split for case in cases] for name, cases in found.items()}
    assert splits == {
        "amazon-office": ["leave-one-out", "cold"], "ml": ["leave-one-out", "temporal", "cold"],
    }  # fmt: skip
    settings = {case.stem: config_from_mapping(case.settings) for case in found["ml"]}
    assert settings["ml.temporal"].run.split == "temporal"
    assert (settings["ml.cold"].run.split, settings["ml.cold"].run.cold_share) == (
        "leave-one-out", 0.1,
    )  # fmt: skip
    assert [config.text.lexical for config in settings.values()] == [0, 0, 256]
    assert not any(config.gate.enforce for config in settings.values())
    office = config_from_mapping(found["amazon-office"][0].settings)
    assert office.run.license == "Amazon Reviews 2018: research use"


def test_hetrec_is_asked_by_its_tags_in_time(run: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "artists.dat").write_text("id\tname\n1\tA\n")
    (tmp_path / "user_artists.dat").write_text("userID\tartistID\tweight\n1\t1\t5\n")
    cases = run.cases_of(
        "music", tmp_path, "hetrec-lastfm", ("leave-one-out", "temporal"), quick=True
    )
    assert [case.settings["data"]["format"] for case in cases] == [
        "hetrec-lastfm",
        "hetrec-lastfm-tags",
    ]
    assert config_from_mapping(cases[0].settings).student.epochs == 1


def result(split: str, **more: Any) -> dict[str, Any]:
    def measured(value: float) -> dict[str, Any]:
        return {"ndcg@10": value, "ndcg@10_ci95": [value - 0.01, value + 0.02], "users": 1234}

    return {
        "set": "office", "split": split, "command": "run.py", "commit": "0123456789abc",
        "measured_at": "2030-01-02T00:00:00Z", "wall_seconds": 90.0,
        "device": {"cpu": "CPU", "cores": 2}, "data": {"items": 3459},
        "test": {"shipped": measured(0.1), "ease": measured(0.2)},
        "test_by_item": {"warm": {"shipped": measured(0.3)}},
        **more,
    }  # fmt: skip


def test_tables_are_written_between_the_markers(tmp_path: Path) -> None:
    tables = load("distillation/tables.py")
    results = tmp_path / "results"
    results.mkdir()
    recall = {"value": 0.5, "ci95": [0.4, 0.6]}
    both = {"recall@10_among_cold": recall, "recall@10_among_all": recall}
    over = {name: {"value": 2.0, "ci95": [1.5, 2.5]} for name in ("among_cold", "among_all")}
    cold = {
        "items": 332,
        "queries": 1973,
        "shipped": both,
        "tfidf": both,
        "shipped_over_tfidf": over,
    }
    for name, content in (
        ("office.leave-one-out", result("leave-one-out")),
        ("office.cold", result("cold", cold=cold)),
        ("ablation", {"another": "benchmark"}),
    ):
        (results / f"{name}.json").write_text(json.dumps(content))
    readme = tmp_path / "README.md"
    readme.write_text("# Before\n\n" + tables.BEGIN + "\nstale\n" + tables.END + "\n\n## After\n")
    tables.write_tables(readme, results)
    text = readme.read_text()
    assert text.startswith("# Before\n")
    assert text.endswith("\n\n## After\n")
    assert "stale" not in text
    lines = text.splitlines()
    assert (
        "| office | leave-one-out | 1,234 | 3,459 |  |  | .100 (.090 to .120) |  |  | "
        ".200 (.190 to .220) |  |  |"
    ) in lines
    assert (
        "| office | leave-one-out | seen in training | 1,234 |  |  | .300 (.290 to .320) "
        "|  |  |  |  |  |"
    ) in lines
    assert (
        "| office | 332 | 1,973 | all items | .500 (.400 to .600) | .500 (.400 to .600) | "
        "2.00 (1.50 to 2.50) |"
    ) in lines
    assert "- office, cold: `run.py`, CPU, 2 cores, 1.5 min, commit 0123456789, 2030-01-02" in lines
    tables.write_tables(readme, results)
    assert readme.read_text() == text
