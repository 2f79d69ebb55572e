"""Checks an installed wheel as a device would use it: no torch, and a golden bundle that answers.

python check_wheel.py FOLDER    FOLDER holds the golden bundle of one format version
"""

import importlib.util
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

_ABSENT = ("torch", "transformers", "pandas", "pyarrow", "scipy")


def run(*arguments: str, expect: int = 0) -> str:
    """Standard output of one `pocketrec` command, which must end with the expected exit code."""
    command = [str(Path(sys.executable).with_name("pocketrec")), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != expect:
        raise SystemExit(
            f"{' '.join(command)}: exit code {done.returncode}, expected {expect}\n{done.stderr}"
        )
    return done.stdout if expect == 0 else done.stderr


def expect(condition: bool, what: str) -> None:
    """Stop with a message where something does not hold."""
    if not condition:
        raise SystemExit(f"wheel check failed: {what}")


def check_recommendation(bundle: Path) -> None:
    """Every golden query, asked through the command line, gives the recorded scores by rank.

    Not the recorded ids: where two scores lie within the tolerance, a device may swap them.
    """
    golden: dict[str, Any] = json.loads((bundle / "golden.json").read_text(encoding="utf-8"))
    expect(bool(golden["queries"]), "the golden bundle has no query")
    for query in golden["queries"]:
        quoted = ",".join('"' + item.replace('"', '""') + '"' for item in query["history"])
        answer = json.loads(
            run("recommend", str(bundle), "--history", quoted, "-k", str(query["k"]), "--json")
        )
        expect(answer["source"] == "device", f"source is {answer['source']}")
        for item, score in zip(answer["items"], query["scores"], strict=True):
            near = abs(item["score"] - score) <= golden["tolerance"]
            expect(near, f"{item['item_id']} scores {item['score']} instead of {score}")
            expect(isinstance(item["title"], str | None), f"title {item['title']!r}")


def check_refusal(bundle: Path) -> None:
    """A copy with one flipped bit in its user tower is refused with exit code 3."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copytree(bundle, Path(folder, "bundle")))
        tower = copy / "user_tower.onnx"
        data = bytearray(tower.read_bytes())
        data[len(data) // 2] ^= 1
        tower.write_bytes(data)
        run("verify", str(copy), expect=3)


def check_embedding(bundle: Path) -> None:
    """An app records an item of each history and gets an answer from the device; then erases it."""
    from pocketrec import Recommender  # noqa: PLC0415 - the wheel's own

    golden: dict[str, Any] = json.loads((bundle / "golden.json").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as store:
        with Recommender.open(bundle, store=store) as recommender:
            user = recommender.user("ada")
            for query in golden["queries"]:
                user.record(query["history"][-1])
            expect(user.recommend().source == "device", "an embedded answer is not the device's")
        listed = json.loads(run("events", "list", store, "--json"))
        count = len(golden["queries"])
        expect(listed["users"] == [{"user": "ada", "events": count}], f"events are {listed}")
        run("events", "erase", store, "ada", "--yes")
        expect(json.loads(run("events", "list", store, "--json"))["users"] == [], "not erased")


def main(folder: Path) -> None:
    """Run every check and say so."""
    for package in _ABSENT:
        expect(importlib.util.find_spec(package) is None, f"{package} is installed")
    bundles = sorted(path.parent for path in folder.rglob("manifest.json"))
    expect(bool(bundles), f"no bundle under {folder}")
    for bundle in bundles:
        run("verify", str(bundle))
        inspected = json.loads(run("inspect", str(bundle), "--json"))
        version = folder.name.removeprefix("v").replace("_", ".")
        expect(inspected["format_version"] == version, f"format {inspected['format_version']}")
        check_recommendation(bundle)
        check_refusal(bundle)
        check_embedding(bundle)
    message = run("demo", expect=4)
    expect('pip install "pocketrec[distill]"' in message, f"no pip command in {message!r}")
    print(f"wheel: {len(bundles)} golden bundle(s) verified and answered, without torch")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
