"""A whole run on a CUDA device."""

import json
from pathlib import Path

import pytest

from pocketrec_distill.serving import ServingSettings, open_teacher
from pocketrec_runtime import Engine

from .conftest import make_workplace

pytestmark = pytest.mark.cuda


def test_a_whole_run(tmp_path: Path, llm_folder: Path) -> None:
    """Every stage on the device; its bundle and its teacher folder are opened on the CPU."""
    place = make_workplace(tmp_path, llm_folder)
    text = place.config.read_text("utf-8").replace("threads = 1", 'threads = 1\ndevice = "cuda"')
    place.config.write_text(text, "utf-8")
    result = place.distill("--json", "--teacher-out", str(tmp_path / "teacher"))
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    assert report["device"]["torch_device"].startswith("cuda:0 (")
    assert report["test"]["shipped"]["ndcg@10"] > 0.8
    assert len(Engine.open(place.bundle).catalogue) == 30
    open_teacher(tmp_path / "teacher", ServingSettings(device="cpu"))
    # A run that began on the device ends on the CPU, where that is what there is.
    place.config.write_text(text.replace('"cuda"', '"cpu"'), "utf-8")
    again = place.distill("--json")
    assert again.exit_code == 0, again.stderr
    assert "kept from an earlier run" in again.stderr
    assert json.loads(again.stdout)["device"]["torch_device"] == "cpu"
