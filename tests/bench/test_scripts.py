"""Bundles of every precision from one bundle, and results that only ever grow."""

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np

from pocketrec_bench.card import Build, Card, write_card
from pocketrec_bench.device import read_device
from pocketrec_bench.ledger import read_ledger
from pocketrec_runtime import Engine

ROOT = Path(__file__).resolve().parents[2]
RINGS = ROOT / "tests" / "golden" / "v1_0" / "rings"


def _load(name: str) -> ModuleType:
    path = ROOT / "benchmarks" / "device" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"pocketrec_tests_device_{name}", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


variants, record = _load("variants"), _load("record")


def test_every_precision_of_a_bundle_ranks_as_it_does(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(sys, "argv", ["variants.py", str(RINGS), "--out", str(tmp_path)])
    variants.main()
    engine = Engine.open(RINGS)
    history = engine.catalogue.ids[:3]
    expected = [item.item_id for item in engine.recommend(history, 5).items]
    found = {}
    for path in sorted(tmp_path.iterdir()):
        made = Engine.open(path)
        found[path.stem] = (made.manifest.model.rows, made.backend.file)
        overlap = {item.item_id for item in made.recommend(history, 5).items} & set(expected)
        # A ring has clear neighbours; four bits may exchange the last of five.
        assert len(overlap) >= (4 if "4" in path.stem else 5), path.stem
    onnx, gguf = "user_tower.onnx", "user_tower.gguf"
    assert found == {
        "onnx-fp32": ("float32", onnx), "onnx-int8": ("int8", onnx), "onnx-int4": ("int4", onnx),
        "gguf-F16": ("int8", gguf), "gguf-Q8_0": ("int8", gguf), "gguf-Q4_0": ("int8", gguf),
    }  # fmt: skip
    full = Engine.open(tmp_path / "onnx-fp32.bundle").catalogue
    np.testing.assert_array_equal(full.rows, engine.catalogue.vectors)


def test_runs_are_recorded_whole_or_not_at_all(result, tmp_path, monkeypatch, capsys) -> None:
    target = tmp_path / "results" / "films.jsonl"
    good, wrong = tmp_path / "good", tmp_path / "wrong"
    write_card(Card(Build("0.1.0", "ab" * 20), read_device(), (result,)), good)
    doubtful = replace(result, valid=False, reasons=("a quick run",))
    write_card(Card(Build("0.1.0", "ab" * 20), read_device(), (doubtful,)), wrong)
    outcomes = []
    for runs in ((good, wrong), (good,), (good,)):
        monkeypatch.setattr(sys, "argv", ["record.py", *map(str, runs), "--to", str(target)])
        outcomes.append((record.main(), target.exists() and len(read_ledger(target))))
    assert outcomes == [(1, False), (0, 1), (0, 1)]
    assert "a quick run" in capsys.readouterr().err
