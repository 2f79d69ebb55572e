"""`pocketrec bench scale` from end to end on a small bundle: every axis is really measured."""

import json
from pathlib import Path

from pocketrec_bench.scale import measure as scale_measure
from pocketrec_bench.scale import scale_from_document

RINGS = Path(__file__).parents[1] / "golden" / "v1_0" / "rings"


def test_every_axis_is_measured_fitted_and_predicted(cli, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(scale_measure, "ITEMS", (1_000, 2_000, 5_000, 10_000, 20_000))
    plan = scale_measure.ScalePlan
    short = {"history": (1, 5, 20, 60), "users": (3, 10, 30)}
    monkeypatch.setattr("pocketrec_bench.scale.ScalePlan", lambda **given: plan(**short, **given))
    out = tmp_path / "out"
    outcome = cli(
        "bench", "scale", RINGS, "--rounds", "2", "--max-items", "20000",
        "--predict", "phone:12:2", "--out", out, "--json",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    report, device = scale_from_document(outcome.json)
    assert json.loads((out / "scale.json").read_text("utf-8")) == outcome.json
    assert [(axis.name, axis.sizes[-1]) for axis in report.axes] == [
        ("items", 20_000), ("history, prefill", 60), ("history, append", 60), ("events", 60),
        ("users", 30),
    ]  # fmt: skip
    assert all(len(axis.rounds) == 2 for axis in report.axes)
    assert all(cost > 0 for axis in report.axes for row in axis.rounds for cost in row)
    assert report.checks[0].items == 20_000
    assert [(each.device.name, each.items) for each in report.predictions] == [
        ("phone", 1_000), ("phone", 10_000), ("phone", 20_000),
    ]  # fmt: skip
    assert device.fingerprint
    page = (out / "scale.html").read_text("utf-8")
    assert page.count("<svg") == 5
    assert "phone, predicted" in page
    assert "<script" not in page


def test_a_device_that_is_none_is_refused(cli) -> None:
    outcome = cli("bench", "scale", RINGS, "--predict", "phone")
    assert outcome.code == 2
    assert "NAME:BANDWIDTH_GB_S" in outcome.err
