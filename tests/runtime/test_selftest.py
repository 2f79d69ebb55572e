"""The golden self-test finds what it is for, and the specification says what the code does."""

import dataclasses
import hashlib
import re
import subprocess
from pathlib import Path

import onnx
import pytest

import pocketrec_runtime as rt
from pocketrec_runtime import limits
from pocketrec_runtime.bundle import assemble
from pocketrec_runtime.errors import InputError, MissingExtraError, SelfTestError
from pocketrec_runtime.selftest import self_test

SPECIFICATION = Path(__file__).parents[2] / "docs" / "bundle-format.md"


def test_recorded_answers_are_the_engines(contents, engine):
    first = contents.golden.queries[0]
    assert (first.history, first.k) == (("a", "c"), 3)
    answer = engine.recommend(["a", "c"], 3)
    assert first.item_ids == tuple(item.item_id for item in answer.items)
    assert first.scores == tuple(item.score for item in answer.items)


@pytest.mark.parametrize("histories", [[], [[]], [["a"], ["nope"]]])
def test_histories_that_record_nothing_are_refused(contents, histories):
    with pytest.raises(InputError, match="histor"):
        rt.record_golden(contents, histories)


def test_a_cache_that_is_restored_wrongly_is_found(contents):
    """Keys and values of the past change places: prefill is right, append is not."""
    model = onnx.load_from_string(contents.user_tower)
    other = {"past_key_values.0.key": "past_key_values.0.value"}
    other |= {value: key for key, value in other.items()}
    for node in model.graph.node:
        if node.op_type == "Concat":
            node.input[0] = other.get(node.input[0], node.input[0])
    broken = dataclasses.replace(contents, user_tower=model.SerializeToString())
    with pytest.raises(SelfTestError, match="golden query 0, appended"):
        self_test(rt.Engine(assemble(broken)), contents.golden)


def test_other_weights_are_found(contents, tiny, sizes):
    other = tiny.user_tower(sizes, tiny.user_tower_weights(sizes, seed=8))
    engine = rt.Engine(assemble(dataclasses.replace(contents, user_tower=other)))
    with pytest.raises(SelfTestError, match=r"tolerance 0\.001"):
        self_test(engine, contents.golden)


def test_missing_extra_names_the_command():
    error = MissingExtraError("torch", "distill")
    assert isinstance(error, ImportError)
    assert str(error) == 'torch is not installed; run: pip install "pocketrec[distill]"'


def test_documented_limits_are_the_limits():
    section = SPECIFICATION.read_text().split("## Limits")[1].split("\n## ")[0]
    documented = [int(number) for number in re.findall(r"\| (\d+) \|", section)]
    actual = [value for name, value in vars(limits).items() if name.startswith("MAX_")]
    assert sorted(documented) == sorted(actual)


def test_the_example_of_the_specification_runs(bundle_dir, bundle_zip):
    (script,) = re.findall(r"```sh\n(.*?)```", SPECIFICATION.read_text(), re.DOTALL)
    answer = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=bundle_dir.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    seal, fingerprint, stated, zip_hash, zip_seal = answer.stdout.splitlines()
    assert seal == "manifest.json: OK"
    assert fingerprint.split()[0] == stated.split('"')[3]
    assert zip_hash.split()[0] == zip_seal
    assert zip_seal == hashlib.sha256(bundle_zip.read_bytes()[:-81]).hexdigest()
