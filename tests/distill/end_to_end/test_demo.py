"""The demo on the real MovieLens-100K and the real SmolLM2, with training cut to the bone."""

import json
from pathlib import Path

import pytest

from pocketrec_distill.config import config_from_mapping
from pocketrec_distill.demo import run_demo
from pocketrec_runtime import Engine

SHORT = {
    "llm": {"max_tokens": 32},
    "teacher": {"blocks": 1, "epochs": 1, "rank": 2, "pass_positions": 9_000},
    "control": {"epochs": 3},
    "student": {"epochs": 2},
    "distillation": {"labelled_positions": 0, "candidates": 50},
    "item_tower": {"epochs": 1, "vocabulary": 500},
    "run": {"window": 20, "threads": 1},
}


@pytest.mark.download
@pytest.mark.filterwarnings("ignore")
def test_demo_runs_from_real_data_to_a_local_answer(tmp_path: Path) -> None:
    made = run_demo(tmp_path, config_from_mapping(SHORT))
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert report["data"]["training_users"] == 943
    assert report["data"]["items"] == 1682
    assert report["test"]["shipped"]["users"] == 943
    assert report["test"]["shipped"]["ndcg@10"] > report["test"]["popularity"]["ndcg@10"]
    engine = Engine.open(made["bundle"])
    answer = engine.recommend(["50", "181"], k=5)
    assert answer.source == "device"
    assert all(item.title for item in answer.items)
