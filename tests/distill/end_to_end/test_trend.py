"""A run that follows the trend: its bundle ranks by the student and the bias of each item."""

import numpy as np

from pocketrec_distill.config import load_config
from pocketrec_distill.models.base import SequenceScorer
from pocketrec_distill.models.trend import Demand
from pocketrec_distill.pipeline.measure import EngineScorer
from pocketrec_distill.pipeline.models import RunModels
from pocketrec_distill.pipeline.precision import FULL, SMALLEST
from pocketrec_distill.pipeline.prepare import prepare
from pocketrec_distill.pipeline.ship import Shipping
from pocketrec_distill.pipeline.stages import RunDirectory
from pocketrec_distill.pipeline.trending import Trend
from pocketrec_distill.update.trend import Followed
from pocketrec_runtime import Engine
from pocketrec_runtime.bundle import assemble

from .conftest import FinishedRun


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
    temperature = models.labelled.temperature
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


def test_a_bundle_that_follows_none_has_no_bias(finished: FinishedRun) -> None:
    models = models_of(finished, Trend())
    contents = Shipping(models).contents(FULL)
    assert not contents.catalogue.bias.any()
    assert contents.provenance == {}
    counts = models.data.counts
    np.testing.assert_allclose(contents.catalogue.popularity, counts / counts.sum(), rtol=1e-6)
    assert models.trend.key == {}
