"""The run's teachers of candidates: those of the settings are made, and refine the blend."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pocketrec_distill.errors import ConfigError
from pocketrec_distill.evaluation.queries import QuerySet
from pocketrec_distill.evaluation.ranking import ndcg_of
from pocketrec_distill.llm.base import model_fingerprint
from pocketrec_distill.models.base import PositionScorer
from pocketrec_distill.pipeline.stages import write_json
from pocketrec_distill.progress import progress
from pocketrec_distill.sources.wheels import sha256_of
from pocketrec_distill.teachers.examples import Examples, sampled_examples
from pocketrec_distill.teachers.pairs import PAIR_TEACHERS, PairSettings, PairTeacher
from pocketrec_distill.teachers.pointwise_training import PairTraining, fit_pairs
from pocketrec_distill.teachers.protocol import CandidateTeacher
from pocketrec_distill.teachers.refine import Refined, Refiner, Say, fit_say
from pocketrec_distill.teachers.score_table import ScoreTable
from pocketrec_distill.teachers.settings import PATH_SECTIONS
from pocketrec_distill.teachers.users import KnownUsers

if TYPE_CHECKING:
    from pocketrec_distill.pipeline.models import RunModels

TEACHER_BATCH = 32
"""Histories that the LLM reads at once."""

# Contexts that a candidate teacher is asked about at once.
_ASKED = 16


@dataclass(frozen=True)
class TeacherFigures:
    """What a candidate teacher brought, on validation queries it was not fitted on.

    Attributes:
        kind: The teacher.
        base: Factor of the logits that it refines.
        own: Factor of its own logits.
        queries: Queries measured.
        ndcg_before: NDCG@10 without it.
        ndcg_after: NDCG@10 with it.
        known: Share of what it was asked about that it knows.
    """

    kind: str
    base: float
    own: float
    queries: int
    ndcg_before: float
    ndcg_after: float
    known: float


def refined(models: "RunModels", blend: PositionScorer) -> PositionScorer:
    """The blend, refined by each candidate teacher of the settings; the blend itself for none.

    Args:
        models: The run.
        blend: Scores the whole catalogue, its softmax calibrated.
    """
    for kind in models.config.teachers.asked:
        blend = _refined_by(models, blend, kind)
    return blend


def teacher_figures(models: "RunModels") -> list[dict[str, Any]]:
    """What each candidate teacher brought, for the report."""
    _ = models.refined
    return [asdict(figures) for figures in models.teacher_figures]


def teachers_key(models: "RunModels") -> dict[str, Any]:
    """What labels depend on beyond the blend: the candidate teachers and their files."""
    asked = models.config.teachers.asked
    if not asked:
        return {}
    return {
        "teachers": asdict(models.config.teachers),
        **{kind: _kind_key(models, kind) for kind in asked},
    }


def _kind_key(models: "RunModels", kind: str) -> dict[str, Any]:
    section = getattr(models.config, PATH_SECTIONS[kind])
    settings = {**asdict(section), "path": ""}
    if kind == "table":
        return {**settings, "users": models.data.train_users, "file": _file_hash(section.path)}
    base = {} if kind == "classifier" else {"base": _fingerprint(section.base)}
    return settings | base | ({"files": _fingerprint(section.path)} if section.path else {})


def _file_hash(path: str) -> str:
    if not Path(path).is_file():
        raise ConfigError(f"[score_table] path is {path!r}; give the path of a table of scores")
    return sha256_of(Path(path))


def _fingerprint(name: str) -> str:
    path = Path(name)
    if path.is_file():
        return sha256_of(path)
    if path.is_dir():
        return model_fingerprint(str(path), None, None)
    return name


def _refined_by(models: "RunModels", base: PositionScorer, kind: str) -> PositionScorer:
    """`base` refined by one teacher, as a stage that fits how much the teacher is believed."""
    refined = _refinable(models, base, kind)
    key = {**models.teaching_key, "kind": kind}

    def make() -> dict[str, Any]:
        return asdict(_fitted(refined, kind, models.choices.first(models.config.teachers.queries)))

    figures = TeacherFigures(**models.run.value(f"refine-{kind}", key, "say.json", make))
    models.teacher_figures.append(figures)
    models.run.say(
        f"{kind}: validation NDCG@10 {figures.ndcg_before:.4f} without, {figures.ndcg_after:.4f} "
        f"with it ({figures.queries} queries); it knows {figures.known:.0%} of what it is asked"
    )
    return refined.believing(Say(figures.base, figures.own))


def refined_as(
    models: "RunModels", blend: PositionScorer, figures: Sequence[TeacherFigures]
) -> PositionScorer:
    """The blend, refined by each candidate teacher as far as it was believed before."""
    for found in figures:
        blend = _refinable(models, blend, found.kind).believing(Say(found.base, found.own))
    return blend


def _refinable(models: "RunModels", base: PositionScorer, kind: str) -> Refined:
    """`base` and a teacher that is asked about its best candidates, not yet believed."""
    settings = models.config.teachers
    each = settings.positions / max(1, len(models.corpus.sequences))
    return Refined(
        base,
        Refiner(_made(models, kind), settings.candidates),
        users=_users(models),
        newest=max(1, int(each)),
        share=min(1.0, each),
    )


def _fitted(refined: Refined, kind: str, queries: QuerySet) -> TeacherFigures:
    """Say fitted on every other query, measured on those between."""
    rows = np.arange(len(queries), dtype=np.int64)
    # A single query is both fitted on and measured.
    fit, measured = queries.take(rows[::2]), queries.take(rows[1::2] if len(rows) > 1 else rows)
    contexts = refined.users.contexts(fit.histories)
    scores = refined.base.scores(fit.histories)
    refiner = refined.refiner
    candidates = refiner.asked_about(scores, contexts)
    parts = [
        refiner.teacher.candidate_logits(
            contexts[start : start + _ASKED], candidates[start : start + _ASKED]
        )
        for start in progress(range(0, len(contexts), _ASKED), label=kind, unit="batch")
    ]
    logits = np.concatenate(parts)
    say = fit_say(scores, candidates, logits, fit.targets)
    asked = candidates >= 0
    before, after = (
        float(ndcg_of(scorer, measured).mean()) for scorer in (refined.base, refined.believing(say))
    )
    known = float((asked & ~np.isnan(logits)).sum() / max(1, asked.sum()))
    return TeacherFigures(kind, say.base, say.own, len(measured), before, after, known)


def _users(models: "RunModels") -> KnownUsers:
    data = models.data
    asked = [
        (history, user)
        for queries in (data.validation, data.test)
        for history, user in zip(queries.histories, queries.users, strict=False)
    ]
    if not data.train_users:
        return KnownUsers()
    return KnownUsers.of(data.train, data.train_users, models.window, asked)


def _made(models: "RunModels", kind: str) -> CandidateTeacher:
    """A teacher of candidates, trained or loaded."""
    return _table(models) if kind == "table" else _pairs(models, kind)


def _table(models: "RunModels") -> CandidateTeacher:
    settings = models.config.score_table
    table = ScoreTable.open(Path(settings.path), models.data.item_ids, settings.scale)
    models.run.say(f"score table: {table.coverage}")
    known = sum(user in table.users for user in models.data.train_users)
    models.run.say(f"score table: {known:,} of {len(models.data.train_users):,} training users")
    return table


def _pairs(models: "RunModels", kind: str) -> CandidateTeacher:
    """A teacher of pairs, from the folder of the settings or of a stage that trains it."""
    settings: PairSettings = getattr(models.config, PATH_SECTIONS[kind])
    folder = Path(settings.path) if settings.path else _trained(models, kind, settings)
    teacher: PairTeacher = PAIR_TEACHERS[kind].open(
        folder, models.data.texts, settings, models.device
    )
    return teacher


def _trained(models: "RunModels", kind: str, settings: PairSettings) -> Path:
    """The folder of a teacher trained on the interactions: a stage."""

    def make(folder: Path) -> None:
        model: PairTeacher = PAIR_TEACHERS[kind].untrained(
            models.data.texts, settings, models.seed, models.device
        )

        def draw(epoch: int) -> Examples:
            return sampled_examples(
                models.data.train,
                model.texts.texts,
                window=models.window,
                negatives=settings.negatives,
                most=settings.examples,
                rng=np.random.default_rng([models.seed, epoch]),
            )

        training = PairTraining(
            settings.epochs, settings.batch, settings.learning_rate, models.seed
        )
        curve = fit_pairs(model, draw, training, kind)
        model.save(folder)
        write_json(folder / "curve.json", [epoch.as_dict() for epoch in curve])

    key = {**models.stage_key(), kind: _kind_key(models, kind)}
    return models.run.stage(kind.replace("_", "-"), key, make)
