"""`inspect`, `verify` and `diff`."""

import json
import shutil

import pytest


@pytest.fixture
def damaged(tiny_bundle, tmp_path):
    """The small bundle with one bit of its model flipped."""
    path = shutil.copytree(tiny_bundle, tmp_path / "damaged")
    tower = path / "user_tower.onnx"
    data = bytearray(tower.read_bytes())
    data[100] ^= 1
    tower.write_bytes(data)
    return path


def test_inspect_shows_the_manifest(cli, tiny_bundle) -> None:
    shown = cli("inspect", tiny_bundle, "--json").json
    manifest = json.loads((tiny_bundle / "manifest.json").read_text())
    assert shown["schema"] == "pocketrec.inspect/1"
    assert {key: shown[key] for key in manifest} == manifest
    assert shown["columns"] == ["genre", "title", "year"]
    assert shown["golden_queries"] == 2
    assert shown["size_bytes"] == sum(
        path.stat().st_size
        for path in tiny_bundle.rglob("*.*")
        if path.name not in ("manifest.json", "manifest.sha256")
    )


def test_inspect_as_text(cli, tiny_bundle) -> None:
    text = cli("inspect", tiny_bundle).out
    assert "1 blocks, width 4, window 6, 5 items, float32 rows" in text
    assert "user_tower.onnx" in text
    assert "test.ndcg@10  0.5" in text


@pytest.mark.parametrize("command", ["inspect", "verify", "recommend"])
def test_a_damaged_bundle_is_refused(cli, damaged, command) -> None:
    history = ("--history", "50") if command == "recommend" else ()
    outcome = cli(command, damaged, *history)
    assert outcome.code == 3
    assert "user_tower.onnx" in outcome.err
    assert outcome.out == ""


def test_verify_says_ok(cli, tiny_bundle) -> None:
    outcome = cli("verify", tiny_bundle)
    assert outcome.code == 0
    assert "ok, 8 files" in outcome.out
    found = cli("verify", tiny_bundle, "--json").json
    assert (found["ok"], found["files"]) == (True, 8)
    assert found["fingerprint"] == cli("inspect", tiny_bundle, "--json").json["fingerprint"]


def test_verify_answers_for_a_refused_bundle_too(cli, damaged) -> None:
    outcome = cli("verify", damaged, "--json")
    assert outcome.code == 3
    assert outcome.json["ok"] is False
    assert outcome.json["error"] == "BundleIntegrityError"
    assert "user_tower.onnx" in outcome.json["message"]


def test_nothing_at_the_path_is_a_refusal(cli, tmp_path) -> None:
    outcome = cli("verify", tmp_path / "nowhere")
    assert outcome.code == 3
    assert "nowhere" in outcome.err


def test_diff_of_equal_bundles(cli, tiny_bundle) -> None:
    outcome = cli("diff", tiny_bundle, tiny_bundle)
    assert (outcome.code, outcome.out.split(":")[0]) == (0, "same")
    assert cli("diff", tiny_bundle, tiny_bundle, "--json").json["same"] is True


def test_diff_names_what_changed(cli, tiny_bundle, shifted_bundle) -> None:
    found = cli("diff", tiny_bundle, shifted_bundle, "--json").json
    assert found["schema"] == "pocketrec.diff/1"
    assert found["same"] is False
    assert found["items"] == {"added": [], "removed": [], "changed": ["x,y"]}
    outcome = cli("diff", tiny_bundle, shifted_bundle)
    assert outcome.code == 0
    assert outcome.out.startswith("different: ")
    assert "changed: catalogue/bias.f32" in outcome.out
    assert "1 items (x,y)" in outcome.out
