"""From the models of a run to a teacher folder."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import torch

from pocketrec_distill.llm.base import decoder_blocks
from pocketrec_distill.models.base import Fill, PositionScorer, Scorer, as_they_are
from pocketrec_distill.models.blend import LogScores, heard_places
from pocketrec_distill.models.llama import ROPE_THETA
from pocketrec_distill.models.llm_student import LlmStudent, prune_teacher
from pocketrec_distill.models.sasrec import SasRec
from pocketrec_distill.models.student import Student
from pocketrec_distill.pipeline.models import RunModels
from pocketrec_distill.serving.contents import (
    LINEAR_PARTS,
    GoldenScores,
    PartName,
    TeacherContents,
    WeightedPart,
)
from pocketrec_distill.serving.folder import write_teacher
from pocketrec_distill.serving.refiners import Question, packed
from pocketrec_distill.serving.tower_parts import TowerPart
from pocketrec_distill.teachers.pairs import PairTeacher
from pocketrec_distill.teachers.refine import Refiner, chain_of
from pocketrec_distill.version import VERSION
from pocketrec_runtime import Catalogue

GOLDEN_QUERIES, _GOLDEN_EVENTS, _GOLDEN_ITEMS, _REFINED_ITEMS = 3, 8, 20, 4


def export_teacher(models: RunModels, out: Path) -> str:
    """Write the teacher of a run as a folder; returns its fingerprint.

    That is the blend, and the candidate teachers that refine it; but for a table of scores, which
    knows users, not histories, a part of weight 0, and a teacher that is not believed at all: they
    would cost the server as much as those that are heard.

    Args:
        models: The run; what is not trained yet is trained.
        out: The folder.

    Raises:
        ConfigError: The LLM cannot be served: its blocks are not Llama's, or its adapter does not
            merge.
    """
    return write_teacher(out, teacher_contents(models))


def teacher_contents(models: RunModels) -> TeacherContents:
    """What `export_teacher` writes.

    Raises:
        ConfigError: As `export_teacher`.
    """
    pairs = list(zip(models.heard, models.blend.weights, strict=True))
    weights = dict(pairs[place] for place in heard_places(models.blend.weights))
    names = tuple(weights)
    parts = tuple(
        WeightedPart(cast("PartName", name), weight, _floor(models, name))
        for name, weight in weights.items()
    )
    towers = _towers(models, names)
    questions = _questions(models)
    few = [(history, items[:_REFINED_ITEMS]) for history, items in questions]
    refiners = tuple(
        packed(teacher, refiner.candidates, refiner.say, models.data.texts, few)
        for refiner, teacher in served_refiners(models.refined)
    )
    return TeacherContents(
        catalogue=_catalogue(models, towers),
        window=models.window,
        parts=parts,
        towers=towers,
        linear=models.linear.teaching if set(names) & set(LINEAR_PARTS) else None,
        refiners=refiners,
        texts=tuple(models.data.texts) if refiners else (),
        golden=_golden(models.trend.beside(models.blend, models.data), questions),
        license=models.config.run.license,
        provenance={
            "pocketrec": VERSION,
            "base_llm": Path(models.config.llm.model).name,
            "seed": models.seed,
        },
    )


def served_refiners(scorer: PositionScorer) -> list[tuple[Refiner, PairTeacher]]:
    """Of the refiners of a scorer, in order, those that read texts and are believed."""
    return [
        (refiner, refiner.teacher)
        for refiner in chain_of(scorer)
        if isinstance(refiner.teacher, PairTeacher) and refiner.say.own > 0
    ]


def _towers(models: RunModels, names: tuple[str, ...]) -> dict[str, TowerPart]:
    """The towers of the blend, with the item vectors that it reads."""
    towers, fill = {}, models.blend_choice.fill(models.data)
    if "teacher" in names:
        teacher = models.teacher
        depth = len(decoder_blocks(teacher.llm))
        whole = prune_teacher(teacher, models.features, first=depth, last=0)
        towers["teacher"] = tower_part(whole, fill)
    if "control" in names:
        towers["control"] = tower_part(models.control, fill)
    if "sasrec" in names:
        towers["sasrec"] = sasrec_part(models.sasrec, fill)
    return towers


@torch.inference_mode()
def tower_part(model: Student | LlmStudent, fill: Fill = as_they_are) -> TowerPart:
    """A trained tower with its item vectors, filled, as a part of a teacher folder."""
    kept = ("blocks.", "norm.", "enter.", "leave.", "skip_gain")
    tensors = {
        name: value.detach().float().cpu().contiguous()
        for name, value in model.state_dict().items()
        if name.startswith(kept)
    }
    wide, table = isinstance(model, LlmStudent), fill(model.eval().item_vectors())
    return TowerPart(
        width=model.width,
        shape=model.shape,
        projected=wide,
        rope_theta=model.rope_theta,
        eps=model.norm.eps,
        tensors={"items": table.detach().float().cpu().contiguous(), **tensors},
    )


@torch.inference_mode()
def sasrec_part(model: SasRec, fill: Fill = as_they_are) -> TowerPart:
    """A trained SASRec with its item vectors, filled, as a part of a teacher folder."""
    tensors = {
        name: value.detach().float().cpu().contiguous()
        for name, value in model.state_dict().items()
    }
    tensors["items"] = fill(tensors.pop("ids"))
    width, shape = model.ids.shape[1], model.shape
    return TowerPart(width, shape, False, ROPE_THETA, model.norm.eps, tensors, "sasrec")


def _floor(models: RunModels, name: str) -> float:
    part = models.blend_parts[name]
    return part.floor if isinstance(part, LogScores) else 0.0


def _catalogue(models: RunModels, towers: Mapping[str, TowerPart]) -> Catalogue:
    data = models.data
    first = next(iter(towers.values()), None)
    rows = (
        np.zeros((data.items, 1), np.float32) if first is None else first.tensors["items"].numpy()
    )
    return Catalogue(
        ids=data.item_ids,
        rows=rows,
        scales=None,
        bias=models.trend.bias(data),
        popularity=models.trend.popularity(data),
        columns=data.columns,
    )


def _questions(models: RunModels) -> list[Question]:
    """Made-up histories, so that no user's is written, and the items that are asked about."""
    rng = np.random.default_rng(models.seed)
    items = models.data.items
    length = min(_GOLDEN_EVENTS, models.window)
    histories = [rng.integers(0, items, length) for _ in range(GOLDEN_QUERIES)]
    asked = tuple(rng.permutation(items)[:_GOLDEN_ITEMS].tolist())
    return [(tuple(history.tolist()), asked) for history in histories]


def _golden(blend: Scorer, questions: Sequence[Question]) -> tuple[GoldenScores, ...]:
    """The pipeline's own scores for made-up histories."""
    scores = blend.scores([np.array(history, np.int32) for history, _ in questions])
    return tuple(
        GoldenScores(history, items, row[list(items)].astype(np.float32))
        for (history, items), row in zip(questions, scores, strict=True)
    )
