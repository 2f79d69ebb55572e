"""The main job on made-up data: tables in, a bundle out that ranks without torch."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from pocketrec_distill.report import validate_report, write_report
from pocketrec_runtime import Engine

from .conftest import FinishedRun, Workplace, invoke


def test_report_holds_its_fixed_keys_and_lies_beside_the_run(finished: FinishedRun) -> None:
    validate_report(finished.report)
    assert set(finished.report["test"]) >= {"teacher", "blend", "student_fp32", "shipped"}
    assert finished.report["test"]["shipped"]["users"] == 90
    for name in ("report.json", "report.html"):
        assert (finished.place.run_dir / name).stat().st_size > 1000
    written = json.loads((finished.place.run_dir / "report.json").read_text(encoding="utf-8"))
    assert written == finished.report


def test_the_student_learns_the_rings(finished: FinishedRun) -> None:
    test = finished.report["test"]
    assert test["shipped"]["ndcg@10"] > 0.9 > 2 * test["popularity"]["ndcg@10"]


def test_the_bundle_holds_a_policy_that_is_measured_on_test(finished: FinishedRun) -> None:
    policy = Engine.open(finished.place.bundle).deferral
    assert policy is not None
    assert policy.fitted_on == "90 validation queries"
    # Ninety queries are too few to show a gain.
    assert policy.steps == ()
    found, test = finished.report["deferral"], finished.report["test"]
    assert found["validation"] == []
    assert [point["share"] for point in found["test"]][:2] == [0.0, 0.05]
    assert found["test"][0]["ndcg"] == pytest.approx(test["shipped"]["ndcg@10"])
    assert found["test"][-1]["ndcg"] == pytest.approx(test["blend"]["ndcg@10"])
    assert "Deferral to a server" in (finished.place.run_dir / "report.html").read_text("utf-8")


def test_a_student_that_fails_the_gate_ends_with_7_beside_its_place(
    finished: FinishedRun, tmp_path: Path
) -> None:
    """Nobody keeps 3 times of a teacher that is right: nothing is trained anew to find it out."""
    place = finished.place
    config = tmp_path / "config.toml"
    asked = place.config.read_text(encoding="utf-8").replace("enforce = false", "retention = 3.0")
    config.write_text(asked, encoding="utf-8")
    out = tmp_path / "b"
    again = Workplace(place.interactions, place.items, config, out, place.run_dir)
    result = again.distill("--json")
    assert result.exit_code == 7
    assert not out.exists()
    gate = json.loads(result.stdout)["gate"]
    assert (gate["status"], gate["passed"], gate["bundle"]) == ("failed", False, "b.failed")
    assert Engine.open(tmp_path / "b.failed").fingerprint == Engine.open(place.bundle).fingerprint
    assert "gate: failed: The student keeps less than 300% of the blended teacher" in result.stderr
    assert "seconds, peak memory" not in result.stderr
    page = (place.run_dir / "report.html").read_text(encoding="utf-8")
    assert "<h1>The gate failed." in page
    # The other tests look at the report of the run that passed.
    write_report(finished.report, place.run_dir)


def test_the_bundle_also_runs_on_llama_cpp(finished: FinishedRun) -> None:
    onnx = Engine.open(finished.place.bundle)
    history = list(onnx.catalogue.ids[3:7])
    expected = [item.item_id for item in onnx.recommend(history, 5).items]
    for backend in ("llama", "numpy"):
        engine = Engine.open(finished.place.bundle, backend=backend)
        assert engine.backend.precision == "F16"
        assert [item.item_id for item in engine.recommend(history, 5).items] == expected


def test_every_stage_says_its_time_and_memory(finished: FinishedRun) -> None:
    stages = {"item-states", "control", "teacher", "labels", "student", "export", "item-tower"}
    assert stages <= set(finished.report["seconds"])
    assert min(finished.report["peak_memory_bytes"].values()) > 1_000_000


def test_a_device_recommends_the_next_step_without_torch(finished: FinishedRun) -> None:
    code = (
        "import sys; from pocketrec.cli.app import main\n"
        "assert main(sys.argv[1:]) == 0\n"
        "assert not {'torch', 'transformers', 'pyarrow'} & set(sys.modules)"
    )
    words = ["recommend", str(finished.place.bundle), "--history", "1-3,1-4,1-5", "--json"]
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=True
    )
    answer = json.loads(done.stdout)
    assert answer["source"] == "device"
    assert answer["items"][0]["item_id"] == "1-6"
    assert answer["items"][0]["title"] == "Walk 6, loud city"
    assert 0.3 < answer["items"][0]["probability"] <= 1
    assert answer["model"] == Engine.open(finished.place.bundle).fingerprint


def test_unknown_and_empty_histories_get_popularity(finished: FinishedRun) -> None:
    for history in ("", "nobody,knows"):
        result = invoke("recommend", str(finished.place.bundle), "--history", history, "--json")
        answer = json.loads(result.stdout)
        assert answer["source"] == "popularity"
        shares = [item["score"] for item in answer["items"]]
        assert shares == sorted(shares, reverse=True)


def test_evaluate_measures_the_bundle_as_the_report_did(finished: FinishedRun) -> None:
    place = finished.place
    result = invoke(
        "evaluate", str(place.bundle), "--interactions", str(place.interactions), "--json"
    )
    measured = json.loads(result.stdout)
    shipped = finished.report["test"]["shipped"]
    assert {key: measured[key] for key in shipped} == shipped
    assert measured["differs_from_report"] is None
    other = ("--split", "temporal")
    told = invoke(
        "evaluate", str(place.bundle), "--interactions", str(place.interactions), *other
    ).stderr
    assert "report of this bundle is of a leave-one-out split, this is of temporal" in told


def test_a_new_item_needs_text_only(finished: FinishedRun) -> None:
    """An unseen text about the ocean lands nearer to the ocean's items than to the others."""
    engine = Engine.open(finished.place.bundle)
    texts = [f"{title}. mood: {title[8:]}" for title in engine.catalogue.columns["title"]]
    known = engine.encode_items(texts)
    (new,) = engine.encode_items(["Walk 11, deep ocean. mood: deep ocean"])
    near = known @ new / np.linalg.norm(known, axis=1) / np.linalg.norm(new)
    rings = np.array([item[0] for item in engine.catalogue.ids])
    means = [float(near[rings == ring].mean()) for ring in "012"]
    assert int(np.argmax(means)) == 2, means


def test_golden_queries_hold_no_users_history(finished: FinishedRun) -> None:
    golden = json.loads((finished.place.bundle / "golden.json").read_text(encoding="utf-8"))
    table = finished.place.interactions.read_text(encoding="utf-8").splitlines()[1:]
    users: dict[str, list[str]] = {}
    for line in table:
        user, item, _ = line.split(",")
        users.setdefault(user, []).append(item)
    for query in golden["queries"]:
        assert not any(
            query["history"] == items[: len(query["history"])] for items in users.values()
        )


def test_a_second_run_computes_nothing_anew(finished: FinishedRun, tmp_path: Path) -> None:
    place = finished.place
    again = Workplace(place.interactions, place.items, place.config, tmp_path / "b", place.run_dir)
    result = again.distill("--json")
    assert result.exit_code == 0, result.stderr
    kept = [line for line in result.stderr.splitlines() if "kept from an earlier run" in line]
    assert len(kept) >= 10
    # A stage that is made says what it took.
    assert not [line for line in result.stderr.splitlines() if "peak memory" in line]
    assert Engine.open(again.bundle).fingerprint == Engine.open(place.bundle).fingerprint


def test_a_changed_setting_redoes_only_what_depends_on_it(
    finished: FinishedRun, tmp_path: Path
) -> None:
    place = finished.place
    config = tmp_path / "config.toml"
    text = place.config.read_text(encoding="utf-8")
    changed = text.replace("[distillation]\n", "[distillation]\nteacher_weight = 0.5\n")
    assert changed != text
    config.write_text(changed, encoding="utf-8")
    run_dir = Path(shutil.copytree(place.run_dir, tmp_path / "run"))
    again = Workplace(place.interactions, place.items, config, tmp_path / "bundle", run_dir)
    said = again.distill("--json").stderr.splitlines()
    kept = {line.split(":")[0] for line in said if "kept" in line}
    made = {line.split(":")[0] for line in said if "peak memory" in line}
    teachers = {"control", "sasrec", "linear", "teacher", "blend"}
    assert {"item-states", *teachers, "trend", "labels"} == kept
    # Fine-tuning for int4 is made only where int4 ranks worse.
    assert {"student", "export", "quantize", "item-tower"} == made - {"aware"}


def test_other_passes_of_fine_tuning_are_measured_anew(
    finished: FinishedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = finished.place
    monkeypatch.setattr("pocketrec_distill.pipeline.ship.AWARE", {"epochs": 1, "rate": 0.1})
    run_dir = Path(shutil.copytree(place.run_dir, tmp_path / "run"))
    again = Workplace(place.interactions, place.items, place.config, tmp_path / "b", run_dir)
    said = again.distill("--json").stderr.splitlines()
    assert any(line.startswith("student: kept") for line in said)
    made = {line.split(":")[0] for line in said if "peak memory" in line}
    assert "quantize" in made


def run_in_background(place: Workplace, prelude: str = "") -> subprocess.Popen[str]:
    code = (
        f"{prelude}\nimport sys; from pocketrec.cli.app import main; sys.exit(main(sys.argv[1:]))"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, "distill", *place.arguments()],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def test_a_killed_run_goes_on_where_it_stopped(workplace: Workplace) -> None:
    with run_in_background(workplace) as process:
        deadline = time.monotonic() + 90
        while not list(workplace.run_dir.glob("control-*")) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert not workplace.bundle.exists()
    result = workplace.distill("--json")
    assert result.exit_code == 0, result.stderr
    assert "item-states: kept from an earlier run" in result.stderr
    assert "control: kept from an earlier run" in result.stderr
    Engine.open(workplace.bundle)


@pytest.mark.parametrize("limit_bytes", [2_000, 60_000])
def test_a_full_disk_ends_with_6_and_leaves_no_bundle(
    workplace: Workplace, limit_bytes: int
) -> None:
    prelude = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit_bytes}, {limit_bytes}))"
    )
    with run_in_background(workplace, prelude) as process:
        _, said = process.communicate(timeout=120)
    assert process.returncode == 6, said
    assert "Traceback" not in said
    assert not workplace.bundle.exists()
    assert not list(workplace.run_dir.glob(".*.tmp-*"))
