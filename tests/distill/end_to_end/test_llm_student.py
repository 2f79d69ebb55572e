"""A run whose student is made of its teacher's blocks."""

import json
from pathlib import Path

from pocketrec_runtime import read_bundle

from .conftest import make_workplace

LLM_STUDENT = """
preset = "llm"
{student}
[llm_student]
first = 1
last = 1
epochs = 2
batch = 16
"""


def test_a_pruned_llm_is_shipped(tmp_path: Path, llm_folder: Path) -> None:
    place = make_workplace(tmp_path, llm_folder)
    text = place.config.read_text(encoding="utf-8")
    head, section, tail = text.partition("[student]\n")
    own, _, rest = tail.partition("\n[item_tower]")
    settings = LLM_STUDENT.format(student=own.replace("epochs = 12", "epochs = 2"))
    rest = rest.replace("epochs = 150", "epochs = 2")
    place.config.write_text(f"{head}{section}{settings}\n[item_tower]{rest}", "utf-8")
    result = place.distill("--json")
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    shape = read_bundle(place.bundle).contents.model
    # Item vectors of 16, blocks of 32 with two heads over one.
    assert (shape.width, shape.heads, shape.kv_heads, shape.head_dim) == (16, 2, 1, 16)
    assert shape.blocks == 2
    assert {row["stage"] for row in report["history"]} >= {"student", "control", "teacher"}
    assert report["parameters"]["student"] > report["parameters"]["control"]
    for name, parity in report["parity"].items():
        if "fp32 tower, float32" in name:
            assert parity["max_difference"] < 1e-4
