"""Bundles of every format version so far: each still opens, and still answers as recorded."""

import json
from pathlib import Path

import pytest

from pocketrec_runtime import Engine

GOLDEN = Path(__file__).parent / "golden"
BUNDLES = sorted(path.parent for path in GOLDEN.rglob("manifest.json"))


def test_there_is_a_bundle_of_each_version() -> None:
    versions = {path.relative_to(GOLDEN).parts[0] for path in BUNDLES}
    folders = {path.name for path in GOLDEN.iterdir() if path.is_dir()}
    assert versions == folders == {"v1_0", "v1_1", "v1_2"}


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda path: str(path.relative_to(GOLDEN)))
def test_golden_bundle_answers_as_recorded(bundle: Path) -> None:
    engine = Engine.open(bundle, self_test=True)
    golden = json.loads((bundle / "golden.json").read_text(encoding="utf-8"))
    for query in golden["queries"]:
        answer = engine.recommend(query["history"], query["k"])
        assert [item.score for item in answer.items] == pytest.approx(
            query["scores"], abs=golden["tolerance"]
        )


@pytest.mark.parametrize("backend", ["onnx", "llama", "numpy"])
def test_every_backend_answers_the_golden_bundle_of_1_1(backend: str) -> None:
    engine = Engine.open(GOLDEN / "v1_1" / "rings", backend=backend)
    answer = engine.recommend(["blue-1", "blue-2", "blue-4"], k=3)
    assert answer.items[0].item_id == "blue-5"


def test_the_policy_of_the_golden_bundle_of_1_2() -> None:
    assert Engine.open(GOLDEN / "v1_1" / "rings").deferral is None
    policy = Engine.open(GOLDEN / "v1_2" / "rings").deferral
    assert policy is not None
    assert [(step.share, step.threshold) for step in policy.steps] == [(0.1, 0.006), (0.25, 0.0045)]


def test_golden_item_tower_reads_text_of_any_script() -> None:
    engine = Engine.open(BUNDLES[0])
    assert engine.encode_items(["Walk 1, quiet forest", "七人の侍", ""]).shape == (3, 16)
