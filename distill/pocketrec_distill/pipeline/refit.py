"""Refitting: the recipe of a measured run once more, on every event of the log.

What is measured never learned the events that measure it: the newest two of each user, or a fifth
of the time. What is shipped should know them. So every model is made anew from all events, with all
that validation chose for the measured ones: nothing is held out any more that could choose. The
figures remain those of the run; `benchmarks/distillation/refit.py` asks both of later events.
"""

import functools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.errors import ConfigError
from pocketrec_distill.models.base import PositionScorer
from pocketrec_distill.pipeline.blending import BlendChoice
from pocketrec_distill.pipeline.linear import Linear, LinearModels
from pocketrec_distill.pipeline.models import RunModels
from pocketrec_distill.pipeline.precision import Variant
from pocketrec_distill.pipeline.ship import Shipping
from pocketrec_distill.pipeline.stages import RunDirectory
from pocketrec_distill.pipeline.teachers import refined_as
from pocketrec_distill.pipeline.trending import Trend
from pocketrec_distill.training import TrainSettings
from pocketrec_runtime import BundleContents

MEASURED = ("control", "sasrec", "teacher", "student")
"""Models of `RunModels` that make as many passes as validation kept of them."""


class Refitted(RunModels):
    """The models of a run, made from every event with the choices of the measured ones."""

    def __init__(self, measured: RunModels) -> None:
        """Nothing is made yet.

        Raises:
            ConfigError: The data was prepared without `[run] refit`.
        """
        if measured.data.whole is None:
            raise ConfigError("nothing to refit on: prepare the data with [run] refit = true")
        run = measured.run
        own = RunDirectory(run.root, lambda line: run.say(f"refit: {line}"), follows=run.follows)
        super().__init__(measured.data.whole, measured.config, own)
        self.measured = measured

    def stage_key(self, *sections: str, **more: Any) -> dict[str, Any]:
        """As that of a measured stage, and apart from all of those."""
        return super().stage_key(*sections, refit=True, **more)

    @functools.cached_property
    def features(self) -> NDArray[np.float32]:
        """Those of the measured run: texts hold no events."""
        return self.measured.features

    def budget(self, name: str, settings: TrainSettings) -> tuple[TrainSettings, bool]:
        """As many passes as were kept of the measured model; fine-tuning makes all of them."""
        if name in MEASURED:
            getattr(self.measured, name)  # its curve is there once it is made
            settings = replace(settings, epochs=kept_epoch(self.measured.curves[name]))
        return settings, False

    @functools.cached_property
    def linear(self) -> Linear:
        """The linear model that was chosen; the floor is only measured, and stays."""
        measured = self.measured.linear
        return replace(measured, teaching=LinearModels(self.data).model(measured.choice))

    @functools.cached_property
    def blend_choice(self) -> BlendChoice:
        """That of the measured run."""
        return self.measured.blend_choice

    @functools.cached_property
    def trend(self) -> Trend:
        """As far as that of the measured run is followed; demand is that of every event."""
        return self.measured.trend

    @functools.cached_property
    def refined(self) -> PositionScorer:
        """The blend and the candidate teachers, believed as far as they were."""
        _ = self.measured.refined
        return refined_as(self, self.blend, self.measured.teacher_figures)


def kept_epoch(curve: Sequence[dict[str, Any]]) -> int:
    """The pass of a training curve that was kept; in older run directories the best."""
    return int(max(curve, key=lambda row: (row.get("kept", False), row["ndcg"]))["epoch"])


def refitted(models: Refitted, variant: Variant, measured: BundleContents) -> BundleContents:
    """The contents of a bundle that learned every event; its costs join those of the run.

    Calibration and deferral are those of the measured bundle: over events that a model has learned,
    both would believe too much.

    Args:
        models: Made from every event.
        variant: The precision that validation chose.
        measured: The contents that the run's figures are of.
    """
    contents, costs, run = Shipping(models).shipped(variant), models.run, models.measured.run
    run.seconds["refit"] = sum(costs.seconds.values())
    run.peak_memory["refit"] = max(costs.peak_memory.values())
    return replace(
        contents,
        calibration=measured.calibration,
        deferral=measured.deferral,
        provenance={
            **contents.provenance,
            "refit": {"events": models.data.events, "measured": models.measured.data.events},
        },
    )
