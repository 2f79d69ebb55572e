"""A run that follows the trend: its bundle ranks by the student and the bias of each item."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pocketrec_distill.config import load_config
from pocketrec_distill.evaluation.ranking import EngineScorer, evaluate
from pocketrec_distill.models.base import SequenceScorer
from pocketrec_distill.models.trend import Demand, Followed
from pocketrec_distill.pipeline.models import RunModels
from pocketrec_distill.pipeline.precision import FULL, SMALLEST
from pocketrec_distill.pipeline.prepare import prepare
from pocketrec_distill.pipeline.ship import Shipping
from pocketrec_distill.pipeline.stages import RunDirectory
from pocketrec_distill.pipeline.trending import Trend
from pocketrec_runtime import Engine, read_bundle
from pocketrec_runtime.bundle import assemble

from .conftest import FinishedRun, Workplace


def models_of(finished: FinishedRun, trend: Trend) -> RunModels:
    place = finished.place
    config = load_config(place.config)
    data = prepare(place.interactions, place.items, config, lambda _line: None)
    models = RunModels(data, config, RunDirectory(place.run_dir, lambda _line: None))
    vars(models)["trend"] = trend
    return models


def test_a_bundle_that_follows_the_trend(finished: FinishedRun) -> None:
    models = models_of(finished, Trend(0.7, half_life=1_000.0))
    shipping, data = Shipping(models), models.data
    temperature = 0.5
    vars(models)["labelled"] = replace(models.labelled, temperature=temperature)
    demand = Demand.of(data.train, data.train_ages, data.items, 1_000.0 / data.span)
    expected = 0.7 / temperature * demand.logits
    assert np.ptp(expected) > 0.5
    histories = data.validation.histories[:30]
    student = SequenceScorer(models.student, models.window).scores(histories)
    full, smallest = (shipping.contents(precision) for precision in (FULL, SMALLEST))
    for contents in (full, smallest):
        np.testing.assert_allclose(contents.catalogue.bias, expected, rtol=1e-5)
        np.testing.assert_allclose(contents.catalogue.popularity, demand.shares, rtol=1e-5)
        assert Followed.of(contents.provenance) == Followed(0.7 / temperature, 1_000.0)
    ranked = EngineScorer(Engine(assemble(full))).scores(histories)
    np.testing.assert_allclose(ranked, student + expected, atol=1e-3)
    np.testing.assert_allclose(
        shipping.ranked(models.student).scores(histories), student + expected, atol=1e-5
    )
    blended = models.blend.scores(histories)
    followed = models.trend.beside(models.blend, data).scores(histories)
    np.testing.assert_allclose(followed, blended + temperature * expected, atol=1e-4)


def test_precisions_are_measured_with_the_trend(finished: FinishedRun, tmp_path: Path) -> None:
    """Figures that were kept without it, or with another one, are not taken."""
    run_dir = shutil.copytree(finished.place.run_dir, tmp_path / "run")
    measured = []
    for trend in (Trend(), Trend(30.0, half_life=1_000.0), Trend(30.0, half_life=50.0)):
        models = models_of(finished, trend)
        lines: list[str] = []
        models.run = RunDirectory(run_dir, lines.append)
        measured.append([variant.ndcg for variant in Shipping(models).variants()])
        kept = [line.split(":")[0] for line in lines if "kept" in line]
        assert ("quantize" in kept) == (trend == Trend())
        assert "student" in kept
    assert measured[0] != measured[1] != measured[2]


def test_a_report_tells_what_ranks_with_the_trend(
    finished: FinishedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trend = Trend(30.0, half_life=200.0)
    monkeypatch.setattr("pocketrec_distill.pipeline.models.chosen_trend", lambda _models: trend)
    place = finished.place
    run_dir = shutil.copytree(place.run_dir, tmp_path / "run")
    bundle = tmp_path / "bundle"
    again = Workplace(place.interactions, place.items, place.config, bundle, run_dir)
    result = again.distill("--json")
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    assert report["trend"] == trend.as_dict()
    models = models_of(finished, trend)
    student = Shipping(models).ranked(models.student)
    for name, scorer in (
        ("blend", trend.beside(models.blend, models.data)),
        ("student_fp32", student),
    ):
        found = evaluate(scorer, models.data.test).ndcg.mean()
        assert report["test"][name]["ndcg@10"] == pytest.approx(found, abs=1e-6)
    plain = finished.report["test"]
    assert report["test"]["blend"] != plain["blend"]
    assert report["test"]["control"] == plain["control"], "rivals have no trend"
    followed = Followed.of(read_bundle(bundle).manifest.provenance)
    assert followed == Followed(30.0 / models.labelled.temperature, 200.0)


def test_a_bundle_that_follows_none_has_no_bias(finished: FinishedRun) -> None:
    models = models_of(finished, Trend())
    contents = Shipping(models).contents(FULL)
    assert not contents.catalogue.bias.any()
    assert contents.provenance == {}
    counts = models.data.counts
    np.testing.assert_allclose(contents.catalogue.popularity, counts / counts.sum(), rtol=1e-6)
    assert models.trend.key == {}
