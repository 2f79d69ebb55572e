"""The models of a run: each a stage, made or loaded when it is first asked for."""

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from pocketrec_distill.config import DistillConfig
from pocketrec_distill.evaluation.metrics import ndcg_at
from pocketrec_distill.evaluation.ranking import evaluate
from pocketrec_distill.llm import BaseLlm, load_base_llm, pooled_states
from pocketrec_distill.models.base import Remembering, Scorer, SequenceModel, SequenceScorer
from pocketrec_distill.models.blend import Blend, fit_weights
from pocketrec_distill.models.floors import ItemItem, ease, gram_matrix
from pocketrec_distill.models.llama import TowerShape
from pocketrec_distill.models.llm_student import LlmStudent
from pocketrec_distill.models.sasrec import SasRec
from pocketrec_distill.models.student import Student
from pocketrec_distill.models.teacher import LoraShape, Teacher
from pocketrec_distill.pipeline.dataset import Dataset
from pocketrec_distill.pipeline.stages import RunDirectory
from pocketrec_distill.pipeline.students import (
    AnyStudent,
    llm_student_builder,
    llm_student_training,
)
from pocketrec_distill.presets import LLM
from pocketrec_distill.settings import distilling
from pocketrec_distill.training import TrainSettings, label, open_labels, training_windows
from pocketrec_distill.training.loop import fit
from pocketrec_distill.training.objective import Labels
from pocketrec_distill.training.settings import FULL_CATALOGUE_ITEMS

# Choices look at this many validation queries at most, and at no larger score matrix than this.
MAX_CHOICE_QUERIES = 5_000
MAX_CHOICE_SCORES = 100_000_000

EASE_REGULARIZATION = (10.0, 50.0, 200.0, 500.0, 1000.0)
EASE_DECAY = (0.8, 0.9, 0.95)

_STATE_CACHE = "item-states.sqlite"
_TEACHER_BATCH = 32

Model = TypeVar("Model", bound=SequenceModel)


class RunModels:
    """Every model of one run over one data set."""

    def __init__(self, data: Dataset, config: DistillConfig, run: RunDirectory) -> None:
        self.data, self.config, self.run = data, config, run
        self.window = config.run.window
        self.curves: dict[str, list[dict[str, float]]] = {}
        count = min(MAX_CHOICE_QUERIES, max(1, MAX_CHOICE_SCORES // data.items))
        self.choices = data.validation.first(count)

    def stage_key(self, *sections: str, **more: Any) -> dict[str, Any]:
        """Stage key: the data, the run's seed and window, and the sections that matter."""
        settings = {name: asdict(getattr(self.config, name)) for name in sections}
        run = self.config.run
        return {
            "data": self.data.fingerprint,
            "seed": run.seed,
            "window": run.window,
            **settings,
            **more,
        }

    def ndcg(self, scorer: Scorer) -> float:
        """Validation NDCG@10 on the queries kept for choices."""
        return float(ndcg_at(evaluate(scorer, self.choices).ranks).mean())

    @functools.cached_property
    def llm(self) -> BaseLlm:
        """The base LLM; loaded only by a stage that still has to run."""
        return load_base_llm(self.config.llm.model, self.config.llm.precision)

    @functools.cached_property
    def states(self) -> NDArray[np.float32]:
        """Pooled LLM states of the item texts, float32 (items, llm width)."""

        def make(folder: Path) -> None:
            settings = self.config.llm
            layer = settings.layer or max(1, round(len(self.llm.blocks) / 3))
            states = pooled_states(
                self.llm,
                self.data.texts,
                layer=layer,
                max_tokens=settings.max_tokens,
                cache=self.run.root / _STATE_CACHE,
            )
            np.save(folder / "states.npy", np.ascontiguousarray(states))

        folder = self.run.stage("item-states", self.stage_key("llm"), make)
        states: NDArray[np.float32] = np.load(folder / "states.npy")
        return states

    @functools.cached_property
    def sequences(self) -> list[NDArray[np.int32]]:
        """Training sequences of at most window + 1 events."""
        return training_windows(self.data.train, self.window)

    @functools.cached_property
    def sequence_weights(self) -> list[NDArray[np.float32]]:
        """What each event counts as a target, log2(1 + weight), in the shape of `sequences`.

        The logarithm is that of implicit feedback (Hu, Koren and Volinsky, ICDM 2008): a song
        played a thousand times says more than one played once, but not a thousand times more.
        """
        counts = [np.log2(1 + weights) for weights in self.data.train_weights]
        return training_windows(counts, self.window)

    def _trained(
        self,
        name: str,
        build: Callable[[], Model],
        settings: TrainSettings,
        key: Mapping[str, Any],
        labels: Labels | None = None,
        batch: int = 128,
    ) -> Model:
        """A trained model: a stage that keeps its weights and its training curve."""
        torch.manual_seed(self.config.run.seed)
        model = build()
        made = False

        def make(folder: Path) -> None:
            nonlocal made
            curve = fit(
                model,
                self.sequences,
                lambda m: self.ndcg(SequenceScorer(m, self.window, batch)),
                settings,
                weights=self.sequence_weights,
                labels=labels,
                name=name,
            )
            model.save(folder)
            rows = [epoch.as_dict() for epoch in curve]
            (folder / "curve.json").write_text(json.dumps(rows) + "\n", encoding="utf-8")
            made = True

        folder = self.run.stage(name, key, make)
        if not made:
            model.load(folder)
        self.curves[name] = json.loads((folder / "curve.json").read_text(encoding="utf-8"))
        return model

    def _student_training(self) -> TrainSettings:
        student, distillation = self.config.student, self.config.distillation
        return TrainSettings(
            epochs=student.epochs,
            patience=student.patience,
            batch=student.batch,
            sequences=student.sequences,
            average=student.average,
            learning_rate=student.learning_rate,
            weight_decay=student.weight_decay,
            teacher_weight=distillation.teacher_weight,
            temperature=distillation.temperature,
            seed=self.config.run.seed,
        )

    @property
    def shape(self) -> TowerShape:
        """Sizes of the student's and the control's tower."""
        s = self.config.student
        return TowerShape(s.width, s.blocks, s.heads, s.kv_heads, s.hidden)

    @functools.cached_property
    def control(self) -> Student:
        """The student's shape and budget, trained with hard labels alone."""
        dropout = self.config.student.control_dropout
        return self._trained(
            "control",
            lambda: Student(self.data.items, self.shape, self.states, dropout),
            self._student_training(),
            self.stage_key("llm", "student"),
        )

    @functools.cached_property
    def sasrec(self) -> SasRec:
        """SASRec over ids alone, trained by the same code."""
        s = self.config.student
        return self._trained(
            "sasrec",
            lambda: SasRec(
                self.data.items, s.width, s.blocks, s.heads, self.window, s.control_dropout
            ),
            self._student_training(),
            self.stage_key("student"),
        )

    @functools.cached_property
    def teacher(self) -> Teacher:
        """The LLM with LoRA; its item vectors start from those the control learned."""
        settings = self.config.teacher
        lora = LoraShape(settings.rank, settings.blocks, settings.adapter_rate)
        start = self.control.items.state_dict()
        same_width = settings.width == self.config.student.width

        def build() -> Teacher:
            teacher = Teacher(
                self.llm, self.data.items, settings.width, self.states, lora, settings.dropout
            )
            if same_width:
                teacher.start_from(start)
            return teacher

        training = TrainSettings(
            epochs=settings.epochs,
            patience=settings.patience,
            batch=settings.batch,
            sequences=settings.sequences,
            learning_rate=settings.learning_rate,
            seed=self.config.run.seed,
        )
        key = self.stage_key("llm", "student", "teacher")
        return self._trained("teacher", build, training, key, batch=_TEACHER_BATCH)

    @functools.cached_property
    def ease(self) -> ItemItem:
        """EASE as published, regularisation by validation: the floor to fear."""
        return self._linear[0]

    @functools.cached_property
    def recency_ease(self) -> ItemItem:
        """EASE over histories whose older events count less, both by validation."""
        return self._linear[1]

    @functools.cached_property
    def _linear(self) -> tuple[ItemItem, ItemItem]:
        gram, dense = gram_matrix(self.data.train, self.data.items)

        def make(folder: Path) -> None:
            figures = []
            for regularization in EASE_REGULARIZATION:
                weights = ease(gram, dense, self.data.items, regularization).weights
                for decay in (1.0, *EASE_DECAY):
                    model = ItemItem(weights, dense, self.data.items, decay)
                    figures.append((self.ndcg(model), regularization, decay))
            plain = max(f for f in figures if f[2] == 1.0)
            chosen = {"ease": plain[1], "recency": max(figures)[1:], "validation": figures}
            (folder / "chosen.json").write_text(json.dumps(chosen) + "\n", encoding="utf-8")

        folder = self.run.stage("ease", self.stage_key(), make)
        chosen = json.loads((folder / "chosen.json").read_text(encoding="utf-8"))
        regularization, decay = chosen["recency"]
        return (
            ease(gram, dense, self.data.items, chosen["ease"]),
            ease(gram, dense, self.data.items, regularization, decay),
        )

    @functools.cached_property
    def blend(self) -> Blend:
        """LLM teacher, control and recency EASE, weighted by likelihood on validation queries."""
        teacher = SequenceScorer(self.teacher, self.window, _TEACHER_BATCH)
        parts = (
            Remembering(teacher),
            Remembering(SequenceScorer(self.control, self.window)),
            self.recency_ease,
        )

        def make(folder: Path) -> None:
            scores = [part.scores(self.choices.histories) for part in parts]
            weights = fit_weights(scores, self.choices.histories, self.choices.targets)
            (folder / "weights.json").write_text(json.dumps(weights) + "\n", encoding="utf-8")

        folder = self.run.stage("blend", self.stage_key("llm", "student", "teacher"), make)
        weights = json.loads((folder / "weights.json").read_text(encoding="utf-8"))
        return Blend(parts, tuple(weights))

    @functools.cached_property
    def labels(self) -> Labels:
        """The blend's scores at every training position; of its best items on large catalogues."""
        limit = self.config.distillation.max_label_bytes
        blend, sequences, items = self.blend, self.sequences, self.data.items
        candidates = 0 if items <= FULL_CATALOGUE_ITEMS else self.config.distillation.candidates
        folder = self.run.stage(
            "labels",
            self.stage_key(
                "llm", "student", "teacher", max_label_bytes=limit, candidates=candidates
            ),
            lambda folder: label(blend, sequences, items, folder, limit, candidates),
        )
        return open_labels(folder)

    @functools.cached_property
    def student(self) -> AnyStudent:
        """The student, distilled from the blend."""
        if self.config.student.preset == LLM:
            return self._llm_student()
        dropout = self.config.student.dropout
        return self._trained(
            "student",
            lambda: Student(self.data.items, self.shape, self.states, dropout),
            distilling(self._student_training(), self.config.distillation),
            self.stage_key("llm", "student", "teacher", "distillation"),
            labels=self.labels,
        )

    def _llm_student(self) -> LlmStudent:
        settings = self.config.llm_student
        training = distilling(self._student_training(), self.config.distillation)
        return self._trained(
            "student",
            llm_student_builder(self.teacher, self.states, settings),
            llm_student_training(training, settings),
            self.stage_key("llm", "student", "teacher", "distillation", "llm_student"),
            labels=self.labels,
            batch=_TEACHER_BATCH,
        )
