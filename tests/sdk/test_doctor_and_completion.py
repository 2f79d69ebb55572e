"""`doctor` and `completion`."""

import shutil
import subprocess

import pytest


def test_doctor_as_json(cli) -> None:
    found = cli("doctor", "--json").json
    assert found["schema"] == "pocketrec.doctor/1"
    packages = {package["name"]: package for package in found["packages"]}
    assert packages["numpy"]["extras"] == []
    assert "distill" in packages["torch"]["extras"]
    assert "CPUExecutionProvider" in found["onnxruntime_providers"]
    assert found["cpu"]["usable"] >= 1
    assert found["cache"]["free_bytes"] > 0
    for name, extra in found["extras"].items():
        assert extra["install"] == f'pip install "pocketrec[{name}]"'
        assert extra["installed"] is (extra["missing"] == [])


def test_doctor_as_text(cli) -> None:
    outcome = cli("doctor")
    assert outcome.code == 0
    assert "CPUExecutionProvider" in outcome.out
    assert "onnxruntime>=" in outcome.out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(cli, shell) -> None:
    outcome = cli("completion", shell)
    assert outcome.code == 0
    assert f"_POCKETREC_COMPLETE={shell}_complete" in outcome.out


def test_completion_of_another_shell_is_a_usage_error(cli) -> None:
    assert cli("completion", "tcsh").code == 2


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_accepts_the_script(cli) -> None:
    script = cli("completion", "bash").out
    subprocess.run(["bash", "-n"], input=script, text=True, check=True, timeout=30)
