"""`pocketrec serve TEACHER`: the folder answers over HTTP as it does in this process."""

import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from pocketrec_distill.serving import ServingSettings, open_teacher

# Longer than the window, so that what is read of them shows in the scores.
HISTORIES = [[1], [3, 1, 0], [3, 1, 0, 4, 2, 2, 1], [4, 2, 1, 3, 0, 4]]


def served(folder: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "pocketrec", "serve", str(folder), "--port", "0", *options]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def assert_served(folder: Path, settings: ServingSettings, *options: str) -> None:
    """The command answers as the folder opened with these settings does."""
    expected = open_teacher(folder, settings)
    ids = expected.catalogue.ids
    with served(folder, *options, "--threads", "1") as process:
        try:
            assert process.stderr is not None
            url = json.loads(process.stderr.readline())["url"]
            answers = [
                httpx.post(
                    f"{url}/v1/score",
                    json={"history": [ids[item] for item in history], "candidates": list(ids)},
                    trust_env=False,
                ).json()
                for history in HISTORIES
            ]
            process.terminate()
            assert process.wait(30) == 0
        finally:
            process.kill()
    for history, answer in zip(HISTORIES, answers, strict=True):
        assert answer["model"] == expected.fingerprint
        found = {item["id"]: item["score"] for item in answer["scores"]}
        scores = expected.scores([history])[0]
        for item, score in zip(ids, scores.tolist(), strict=True):
            assert abs(found[item] - score) < 1e-3


def test_the_command_serves_a_teacher_as_it_is_told_to(folder: Path) -> None:
    settings = ServingSettings(precision="fp32", window="anchored", device="cpu")
    assert_served(
        folder, settings, "--precision", "fp32", "--window", "anchored", "--device", "cpu"
    )


@pytest.mark.parametrize("refine", [True, False])
def test_candidate_teachers_are_asked_unless_it_is_told_not_to(
    refined_folder: Path, refine: bool
) -> None:
    settings = ServingSettings(precision="fp32", device="cpu", refine=refine)
    options = () if refine else ("--no-refine",)
    assert_served(refined_folder, settings, "--precision", "fp32", "--device", "cpu", *options)


def test_a_device_that_is_not_there_is_named(folder: Path) -> None:
    with served(folder, "--device", "cuda:99") as process:
        try:
            _, error = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 5
    assert "device is 'cuda:99', number 99 from 0, but torch sees" in error


def test_a_delta_over_a_teacher_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "today.delta").write_bytes(b"")
    with served(folder, "--delta", str(tmp_path / "today.delta")) as process:
        try:
            _, error = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 2
    assert f"--delta is laid over a bundle, and {folder} is a teacher" in error
