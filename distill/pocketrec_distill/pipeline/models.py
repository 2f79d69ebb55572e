"""The models of a run: each a stage, made or loaded when it is first asked for."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from pocketrec_distill.config import DistillConfig
from pocketrec_distill.evaluation.ranking import ndcg_of
from pocketrec_distill.llm import BaseLlm, pooled_states
from pocketrec_distill.llm.adapters import AdapterShape
from pocketrec_distill.llm.base import compute_dtype
from pocketrec_distill.models.base import (
    PositionScorer,
    Scorer,
    SequenceModel,
    SequenceScorer,
)
from pocketrec_distill.models.blend import Blend
from pocketrec_distill.models.llama import TowerShape
from pocketrec_distill.models.llm_student import LlmStudent
from pocketrec_distill.models.read_once import ReadOnce
from pocketrec_distill.models.sasrec import SasRec
from pocketrec_distill.models.student import Student
from pocketrec_distill.models.teacher import Teacher, TeacherShape
from pocketrec_distill.pipeline.asked import asked_of
from pocketrec_distill.pipeline.blending import (
    BlendChoice,
    blend_key,
    blend_parts,
    chosen,
    heard,
)
from pocketrec_distill.pipeline.corpus import Corpus, real_corpus, with_synthetic
from pocketrec_distill.pipeline.dataset import Dataset
from pocketrec_distill.pipeline.features import item_features
from pocketrec_distill.pipeline.labelling import Labelled, labelled
from pocketrec_distill.pipeline.linear import Linear, LinearModels, linear_models
from pocketrec_distill.pipeline.pretraining import base_llm
from pocketrec_distill.pipeline.stages import RunDirectory, read_json, write_json
from pocketrec_distill.pipeline.students import (
    AnyStudent,
    llm_student_builder,
)
from pocketrec_distill.pipeline.teachers import (
    TEACHER_BATCH,
    TeacherFigures,
    refined,
    teachers_key,
)
from pocketrec_distill.pipeline.training import (
    distillation_training,
    hard_label_training,
    llm_student_training,
    teacher_training,
)
from pocketrec_distill.pipeline.trending import Trend, chosen_trend
from pocketrec_distill.placement import CPU, placed_on
from pocketrec_distill.presets import LLM
from pocketrec_distill.spread import spread_over
from pocketrec_distill.training import TrainSettings
from pocketrec_distill.training.linear_start import Choices, start_as_linear
from pocketrec_distill.training.loop import Epoch, fit
from pocketrec_distill.training.objective import Labels
from pocketrec_distill.training.parallel import ALONE, Group, current_group
from pocketrec_distill.training.synthetic import RECIPE
from pocketrec_distill.training.windows import pass_sequences

_STATE_CACHE = "item-states.sqlite"

Model = TypeVar("Model", bound=SequenceModel)


class RunModels:
    """Every model of one run over one data set."""

    def __init__(self, data: Dataset, config: DistillConfig, run: RunDirectory) -> None:
        self.data, self.config, self.run = data, config, run
        self.window = config.run.window
        self.device = placed_on(config.run.device)
        self.curves: dict[str, list[dict[str, Any]]] = {}
        self.teacher_figures: list[TeacherFigures] = []
        self.asked = asked_of(data, self.window)
        self.choices = self.asked.choices
        self.spread = spread_over(config.run.ray, self.device)

    def stage_key(self, *sections: str, **more: Any) -> dict[str, Any]:
        """Stage key: the data, the run's seed and window, and the sections that matter."""
        if "llm" in sections:  # what reads an item's text reads all of its features
            sections = (*sections, "text", "knowledge")
        settings = {name: asdict(getattr(self.config, name)) for name in sections}
        if "llm" in sections and self.config.pretrain.enabled:
            settings["pretrain"] = asdict(self.config.pretrain)
        if "teacher" in sections:
            settings["teacher"]["schedule"] = teacher_training(self.config.teacher, 0).schedule
        run = self.config.run
        return {
            "data": self.data.fingerprint,
            "seed": run.seed,
            "window": run.window,
            "precision": str(self.dtype),
            **settings,
            **more,
        }

    def _checked(self, model: SequenceModel, llm: bool) -> NDArray[np.float64]:
        """What says which pass is kept: NDCG@10 of each query, float64 (queries,)."""
        if llm:
            return ndcg_of(ReadOnce(model, self.window, TEACHER_BATCH), self.asked.by_pass)
        return self.gains(SequenceScorer(model, self.window))

    def gains(self, scorer: Scorer) -> NDArray[np.float64]:
        """NDCG@10 of each validation query kept for choices, float64 (queries,)."""
        return ndcg_of(scorer, self.choices)

    def ndcg(self, scorer: Scorer) -> float:
        """Validation NDCG@10 on the queries kept for choices."""
        return float(self.gains(scorer).mean())

    @functools.cached_property
    def llm(self) -> BaseLlm:
        """The base LLM; loaded only by a stage that still has to run."""
        return base_llm(self)

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
                spread=self.spread,
            )
            np.save(folder / "states.npy", np.ascontiguousarray(states))

        folder = self.run.stage("item-states", self.stage_key("llm"), make)
        states: NDArray[np.float32] = np.load(folder / "states.npy")
        return states

    @functools.cached_property
    def features(self) -> NDArray[np.float32]:
        """What text-fed models read of an item, float32 (items, any): states, words, relations."""
        key = self.stage_key("text", "knowledge")
        return item_features(self.states, self.data, self.config, self.run, key)

    @functools.cached_property
    def corpus(self) -> Corpus:
        """Training sequences of at most window + 1 events, with the weights of their events."""
        return real_corpus(self.data, self.window)

    @functools.cached_property
    def distillation_corpus(self) -> Corpus:
        """The same, and synthetic histories, of which only the teacher's labels are learned."""
        positions = self.config.distillation.labelled_positions
        neighbours = self.linear.neighbours()
        return with_synthetic(self.corpus, neighbours, positions, self.window, self.seed)

    def budget(self, name: str, settings: TrainSettings) -> tuple[TrainSettings, bool]:
        """How long a model trains, and whether validation says which pass is kept."""
        del name  # all of them as their settings say
        return settings, True

    def fit(
        self,
        name: str,
        model: SequenceModel,
        corpus: Corpus,
        settings: TrainSettings,
        labels: Labels | None,
        llm: bool = False,
        group: Group = ALONE,
    ) -> list[Epoch]:
        """Train a model on a corpus, in its budget; an LLM is checked on fewer queries."""
        settings, validated = self.budget(name, settings)
        return fit(
            model,
            corpus.sequences,
            functools.partial(self._checked, llm=llm) if validated else None,
            replace(settings, dtype=self.dtype),
            weights=corpus.weights,
            labels=labels,
            name=name,
            group=group,
        )

    def _trained(
        self,
        name: str,
        build: Callable[[], Model],
        settings: TrainSettings,
        key: Mapping[str, Any],
        corpus: Corpus | None = None,
        labels: Labels | None = None,
        llm: bool = False,
        together: bool = False,
        start: Callable[[Model], None] | None = None,
    ) -> Model:
        """A trained model on the run's device: a stage that keeps its weights and its curve."""
        corpus = corpus or self.corpus
        torch.manual_seed(self.seed)
        model = build().to(self.device)
        made = False

        def make(folder: Path) -> None:
            nonlocal made
            if start is not None:
                start(model)
            group = current_group() if together else ALONE
            curve = self.fit(name, model, corpus, settings, labels, llm, group)
            model.save(folder)
            write_json(folder / "curve.json", [epoch.as_dict() for epoch in curve])
            made = True

        folder = self.run.stage(name, key, make, together=together)
        if not made:
            model.load(folder)
        self.curves[name] = read_json(folder / "curve.json")
        return model

    @property
    def seed(self) -> int:
        """Of every random choice of the run."""
        return self.config.run.seed

    @property
    def dtype(self) -> torch.dtype:
        """Of the products of user and item vectors in training."""
        return compute_dtype(self.config.run.precision, self.device)

    @property
    def shape(self) -> TowerShape:
        """Sizes of the student's and the control's tower."""
        s = self.config.student
        return TowerShape(s.width, s.blocks, s.heads, s.kv_heads, s.hidden)

    @functools.cached_property
    def control(self) -> Student:
        """The student's shape, trained with hard labels alone."""
        control = self.config.control
        return self._trained(
            "control",
            lambda: Student(self.data.items, self.shape, self.features, control.dropout),
            hard_label_training(control, self.seed),
            self.control_key("llm"),
        )

    @functools.cached_property
    def sasrec(self) -> SasRec:
        """SASRec over ids alone, trained by the same code."""
        s, control = self.config.student, self.config.control
        return self._trained(
            "sasrec",
            lambda: SasRec(
                self.data.items, s.width, s.blocks, s.heads, self.window, control.dropout
            ),
            hard_label_training(control, self.seed),
            self.control_key(),
        )

    def control_key(self, *sections: str, **more: Any) -> dict[str, Any]:
        """Key of what depends on the student's shape, but not on how it is distilled."""
        return self.stage_key(*sections, "control", shape=asdict(self.shape), **more)

    @functools.cached_property
    def teacher(self) -> Teacher:
        """The LLM with its adapter; its item vectors start from those the control learned."""
        settings = self.config.teacher
        lengths = [len(sequence) for sequence in self.corpus.sequences]
        passed = pass_sequences(lengths, settings.pass_positions)
        steps = max(1, settings.epochs * -(-passed // settings.batch))
        adapter = AdapterShape(settings.adapter, settings.rank, steps, settings.checkpointing)
        shape = TeacherShape(adapter, settings.blocks, settings.adapter_rate)
        start = self.control.items.state_dict()
        same_width = settings.width == self.config.student.width

        def build() -> Teacher:
            teacher = Teacher(
                self.llm, self.data.items, settings.width, self.features, shape, settings.dropout
            )
            if same_width:
                teacher.start_from(start)
            return teacher

        key, training = self.control_key("llm", "teacher"), teacher_training(settings, self.seed)
        return self._trained("teacher", build, training, key, llm=True, together=True)

    @functools.cached_property
    def linear(self) -> Linear:
        """EASE, and the linear model with recency and text that teaches."""
        return linear_models(self)

    @functools.cached_property
    def blend_choice(self) -> BlendChoice:
        """What ranks best on validation."""
        return chosen(self)

    @functools.cached_property
    def blend_parts(self) -> dict[str, PositionScorer]:
        """What may be blended, by name."""
        return blend_parts(self, self.blend_choice.fill(self.data))

    @property
    def heard(self) -> dict[str, PositionScorer]:
        """The parts that `[teachers] kinds` names."""
        return heard(self, self.blend_parts)

    @functools.cached_property
    def blend(self) -> Blend:
        """The full-catalogue teachers, weighted by what ranks best on validation."""
        return Blend(tuple(self.heard.values()), self.blend_choice.weights)

    @functools.cached_property
    def trend(self) -> Trend:
        """What is wanted of late, as far as validation says that it lasts."""
        return chosen_trend(self)

    @functools.cached_property
    def refined(self) -> PositionScorer:
        """The blend, refined by the candidate teachers of the settings."""
        return refined(self, self.blend)

    @functools.cached_property
    def teaching_key(self) -> dict[str, Any]:
        """Key of what depends on the teachers of the settings."""
        more = {**blend_key(self), "synthetic": RECIPE, **teachers_key(self)}
        return self.control_key("llm", "teacher", **more)

    @functools.cached_property
    def labelled(self) -> Labelled:
        """The blend's scores at every training position, real and synthetic."""
        return labelled(self)

    @functools.cached_property
    def student(self) -> AnyStudent:
        """The student, distilled from the blend; on the CPU, for which it is exported."""
        settings, distillation = self.config.student, self.config.distillation
        training = distillation_training(settings, distillation, self.seed)
        if settings.preset == LLM:
            return self._llm_student(training).to(CPU)
        student = self._trained(
            "student",
            lambda: Student(
                self.data.items, self.shape, self.features, settings.dropout, settings.id_dropout
            ),
            training,
            self.student_key,
            corpus=self.distillation_corpus,
            labels=self.labelled.labels,
            start=self.start,
        )
        return student.to(CPU)

    def start(self, student: Student) -> None:
        """Give a new student the start that `[student] start` names."""
        if self.config.student.start == "linear":
            vectors = LinearModels(self.data).vectors(self.linear.choice, student.width)
            choices = Choices(self.choices.histories, self.choices.targets, self.ndcg, self.window)
            start_as_linear(student, vectors, choices, self.labelled.temperature)

    def _llm_student(self, training: TrainSettings) -> LlmStudent:
        settings = self.config.llm_student
        return self._trained(
            "student",
            llm_student_builder(self.teacher, self.features, settings),
            llm_student_training(training, settings),
            self.student_key,
            corpus=self.distillation_corpus,
            labels=self.labelled.labels,
            llm=True,
        )

    @property
    def student_key(self) -> dict[str, Any]:
        """Key of the student, and of all that is made from it."""
        own = ("llm_student",) if self.config.student.preset == LLM else ()
        own_key = self.stage_key("llm", "control", "student", "teacher", "distillation", *own)
        recipe = ("last pass that is no worse", "linear vectors of items that nobody chose")
        return {**self.teaching_key, **own_key, "recipe": recipe}
