"""`tune`, `export-ort` and `verify --backend`."""

import json
import shutil
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from pocketrec_runtime import read_bundle

RINGS = Path(__file__).parents[1] / "golden" / "v1_1" / "rings"


@pytest.fixture
def rings(tmp_path) -> Path:
    return Path(shutil.copytree(RINGS, tmp_path / "rings"))


def test_tune_writes_a_profile_that_later_calls_use(cli, rings, tmp_path, monkeypatch):
    monkeypatch.setenv("POCKETREC_CACHE", str(tmp_path / "cache"))
    outcome = cli("tune", str(rings), "--seconds", "0.05", "--json")
    assert outcome.code == 0
    found = outcome.json
    assert found["model"] == read_bundle(rings).manifest.fingerprint
    saved = json.loads(Path(found["profile"]).read_text())
    assert saved["settings"] == found["settings"]
    assert Path(found["profile"]).is_relative_to(tmp_path / "cache")
    runs = cli("verify", str(rings), "--json").json["runs_on"]
    assert (runs["backend"], runs["threads"]) == (
        found["settings"]["backend"],
        found["settings"]["threads"],
    )


def test_tune_as_text(cli, rings, tmp_path):
    outcome = cli("tune", str(rings), "--seconds", "0.05", "--profile", str(tmp_path / "p.json"))
    assert outcome.code == 0
    assert "chosen" in outcome.out
    assert (tmp_path / "p.json").exists()


def test_tune_never_writes_into_the_bundle(cli, rings):
    outcome = cli("tune", str(rings), "--profile", str(rings / "profile.json"))
    assert outcome.code == 2
    assert "sealed bundle" in outcome.err
    assert cli("verify", str(rings)).code == 0


@pytest.mark.parametrize("backend", ["onnx", "llama", "numpy"])
def test_verify_says_what_it_ran_on(cli, rings, backend):
    outcome = cli("verify", str(rings), "--backend", backend)
    assert outcome.code == 0
    assert f"on {backend}: asked for cpu" in outcome.out


def test_export_ort_gives_the_same_model_and_names_no_folder(cli, rings, tmp_path):
    outcome = cli("export-ort", str(rings), "--out", str(tmp_path / "mobile"), "--json")
    assert outcome.code == 0
    assert set(outcome.json["files"]) == {"user_tower.ort", "required_operators.config"}
    config = (tmp_path / "mobile" / "required_operators.config").read_text()
    assert "MatMul" in config
    assert "#" not in config
    assert "/" not in config
    feed = {"item_vectors": np.random.default_rng(0).normal(size=(1, 3, 32)).astype(np.float32)}
    feed |= {
        f"past_key_values.{block}.{part}": np.empty((1, 1, 0, 16), np.float32)
        for block in range(2)
        for part in ("key", "value")
    }
    answers = [
        onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"]).run(
            ["user_vector"], feed
        )[0]
        for model in (
            (tmp_path / "mobile" / "user_tower.ort").read_bytes(),
            (rings / "user_tower.onnx").read_bytes(),
        )
    ]
    np.testing.assert_allclose(answers[0], answers[1], atol=1e-5)
