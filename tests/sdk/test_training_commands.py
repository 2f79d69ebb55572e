"""`distill`, `evaluate` and `demo`: what they hand over, and what they print.

Training has its own tests; here it is a small fake that records how it was called.
"""

import json
import shutil
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from pocketrec_runtime import Engine, make_delta, write_delta


@pytest.fixture
def calls() -> list[tuple]:
    return []


@pytest.fixture
def differs() -> list[str | None]:
    """What `evaluate_bundle` finds to differ from the bundle's report."""
    return [None]


@pytest.fixture(autouse=True)
def training(monkeypatch, calls, report, tiny_bundle, differs) -> None:
    def load_config(path, *, seed=None):
        calls.append(("load_config", path, seed))
        return SimpleNamespace(data="data settings")

    def distill(interactions, items, out, *, config, run_dir, teacher_out):
        asked = (interactions, items, out, config.data, run_dir, teacher_out)
        calls.append(("distill", *asked))
        return report

    def evaluate_bundle(engine, interactions, split, settings):
        calls.append(("evaluate", engine.fingerprint, interactions, split, settings))
        found = {"split": split or "leave-one-out", **report["test"]["shipped"]}
        return {**found, "differs_from_report": differs[0]}

    def run_demo(out):
        shutil.copytree(tiny_bundle, out / "bundle")
        (out / "report.json").write_text(json.dumps(report))
        return {"bundle": str(out / "bundle"), "report": str(out / "report.html")}

    def with_teachers(config, kinds, paths):
        if kinds or paths:
            calls.append(("with_teachers", kinds, paths))
        return config

    for name, function in {
        "config": load_config,
        "pipeline": distill,
        "evaluation.bundle": evaluate_bundle,
        "demo": run_demo,
    }.items():
        module = ModuleType(f"pocketrec_distill.{name}")
        setattr(module, function.__name__, function)
        monkeypatch.setitem(sys.modules, module.__name__, module)
    sys.modules["pocketrec_distill.config"].with_teachers = with_teachers


@pytest.fixture
def events(tmp_path: Path) -> Path:
    path = tmp_path / "events.csv"
    path.write_text("user_id,item_id,timestamp\n")
    return path


def test_distill_takes_teachers_and_their_paths_in_order(cli, calls, events, tmp_path) -> None:
    words = ["--teacher", "table", "--teacher-path", events, "--teacher", "ease"]
    cli("distill", "--interactions", events, "--out", tmp_path / "b", *words, "--json")
    assert ("with_teachers", ("table", "ease"), (events,)) in calls


def test_distill_prints_the_report(cli, calls, report, events, tmp_path) -> None:
    out, run_dir = tmp_path / "my.bundle", tmp_path / "run"
    outcome = cli(
        "distill", "--interactions", events, "--items", events, "--out", out,
        "--run-dir", run_dir, "--seed", 7, "--config", events, "--json",
        "--teacher-out", tmp_path / "teacher",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert outcome.json == {"schema": "pocketrec.report/1", **report}
    assert calls == [
        ("load_config", events, 7),
        ("distill", events, events, out, "data settings", run_dir, tmp_path / "teacher"),
    ]


def test_distill_as_text(cli, calls, events, tmp_path) -> None:
    out = tmp_path / "b.zip"
    outcome = cli("distill", "--interactions", events, "--out", out)
    lines = outcome.out.splitlines()
    assert lines[0].startswith("A bundle of 1.9 MB ranks at NDCG@10 0.106")
    assert [line.split("  ")[0] for line in lines[3:6]] == [
        "Blended teacher",
        "Student, 32-bit",
        "Shipped bundle",
    ]
    assert lines[5].split()[2:] == ["0.1058", "0.0948..0.1178", "0.2010", "0.0794", "0.4700"]
    assert lines[-2].split() == ["bundle", str(out)]
    assert lines[-1].split() == ["report", str(tmp_path / "b-report" / "report.html")]
    assert calls[-1] == ("distill", events, None, out, "data settings", None, None)


def test_a_failed_gate_ends_with_7_and_names_the_bundle(
    cli, report, gate, events, tmp_path
) -> None:
    report["gate"] = gate
    out = tmp_path / "my.bundle"
    outcome = cli("distill", "--interactions", events, "--out", out)
    assert outcome.code == 7
    assert outcome.out.startswith("The gate failed. The student does not beat its control")
    assert outcome.out.splitlines()[-2].split() == ["bundle", str(tmp_path / "my.bundle.failed")]
    assert f"{out} was left as it was" in outcome.err
    assert cli("distill", "--interactions", events, "--out", out, "--json").code == 7
    gate["enforced"] = False
    assert cli("distill", "--interactions", events, "--out", out).code == 0


@pytest.mark.parametrize("option", ["--interactions", "--items", "--config"])
def test_distill_refuses_a_file_that_is_not_there(cli, calls, events, option) -> None:
    outcome = cli("distill", "--interactions", events, "--out", "b", option, "nowhere.csv")
    assert outcome.code == 2
    assert "nowhere.csv" in outcome.err
    assert calls == []


def test_evaluate_measures_the_bundle(cli, calls, events, tiny_bundle) -> None:
    arguments = ("evaluate", tiny_bundle, "--interactions", events)
    found = cli(*arguments, "--split", "temporal", "--json").json
    assert found["schema"] == "pocketrec.evaluate/1"
    assert (found["split"], found["ndcg@10"], found["users"]) == ("temporal", 0.1058, 943)
    engine = Engine.open(tiny_bundle)
    assert calls[-1] == ("evaluate", engine.fingerprint, events, "temporal", "data settings")
    outcome = cli(*arguments)
    assert calls[-1][3] is None
    assert "0.0948 to 0.1178" in outcome.out
    assert "leave-one-out" in outcome.out
    assert outcome.err == ""
    assert cli(*arguments, "--split", "random").code == 2
    delta = make_delta(engine, [], retire=["181"])
    write_delta(events.with_name("today.delta"), delta)
    assert cli(*arguments, "--delta", events.with_name("today.delta")).code == 0
    assert calls[-1][1] == engine.with_delta(delta).fingerprint


def test_evaluate_says_on_stderr_where_the_report_measured_others(
    cli, events, tiny_bundle, differs
) -> None:
    differs[0] = "the report measured 119 users, this is of 120"
    arguments = ("evaluate", tiny_bundle, "--interactions", events)
    outcome = cli(*arguments, "--json")
    assert outcome.json["differs_from_report"] == differs[0]
    assert f"{differs[0]}: the figures are not of the same events; " in outcome.err
    assert "--config with the settings of the run" in outcome.err
    settled = cli(*arguments, "--config", events)
    assert f"{differs[0]}: the figures are not of the same events" in settled.err
    assert "--config" not in settled.err
    assert "differs" not in settled.out


def test_demo_names_its_files(cli, tmp_path) -> None:
    out = tmp_path / "demo"
    found = cli("demo", "--out", out, "--json").json
    assert found == {
        "schema": "pocketrec.demo/1",
        "bundle": str(out / "bundle"),
        "report": str(out / "report.html"),
    }


def test_demo_ends_with_a_recommendation_from_the_bundle(cli, tmp_path) -> None:
    text = cli("demo", "--out", tmp_path / "demo").out
    assert "Shipped bundle" in text
    # The history of the first golden query is "50", so "Return of the Jedi" comes first.
    assert text.index("Star Wars") < text.index("Return of the Jedi")
    assert f"pocketrec recommend {tmp_path / 'demo' / 'bundle'} --history 50" in text
