"""In which precision a student is shipped: every one measured, chosen on the ranking metric."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pocketrec_distill.export.weight_only import Bits
from pocketrec_distill.models.base import SequenceScorer
from pocketrec_distill.models.student import Student
from pocketrec_distill.pipeline.models import RunModels
from pocketrec_distill.pipeline.students import AnyStudent
from pocketrec_distill.pipeline.training import distillation_training
from pocketrec_distill.placement import CPU
from pocketrec_distill.training.fake_quant import quantized, round_tower
from pocketrec_runtime import BundleContents, quantize_rows
from pocketrec_runtime.shape import RowFormat

LOST_NDCG = 0.005
"""A smaller variant may lose this share of fp32's validation NDCG@10. A loss up to twice as large
is forgiven where it is within one standard error of none (the rule of Breiman et al., 1984): a
thousand users are too few to tell half a percent from chance, and everybody downloads the bytes."""

# Timings of equal code differ by this much from call to call; "slower" is beyond it.
TIMING_NOISE = 1.05
# Nobody notices so little, and everybody downloads the bytes: on a small catalogue, float rows 256
# wide are scanned an eighth of a millisecond faster than a quarter of their bytes.
UNNOTICED_MS = 0.25
# Appending an event must score as reading the whole history does, but for rounding.
APPEND_TOLERANCE = 1e-4

AWARE_EPOCHS, AWARE_RATE = 2, 0.1
"""Passes of quantization-aware fine-tuning, and its step size over the student's."""

AWARE: Mapping[str, float] = {"epochs": AWARE_EPOCHS, "rate": AWARE_RATE}
"""Makes anew what depends on that fine-tuning."""

_USERS = 512

TOWER_BITS: Mapping[str, Bits | None] = {"fp32": None, "int8": 8, "int4": 4}
ROW_BITS: Mapping[str, Bits | None] = {"float32": None, "int8": 8, "int4": 4}


@dataclass(frozen=True)
class Precision:
    """One way of storing the student.

    Attributes:
        tower: "fp32", "int8" or "int4": how the tower's matrices are stored.
        rows: "float32", "int8" or "int4": how item vectors are stored.
        training: "plain", or "aware" where the student was fine-tuned for this precision.
    """

    tower: str
    rows: RowFormat
    training: str = "plain"


@dataclass(frozen=True)
class Variant(Precision):
    """One way of storing the student, measured through the runtime.

    Attributes:
        ndcg: Validation NDCG@10.
        ndcg_error: Standard error of the difference of its NDCG@10 to fp32's, over the same users.
        append_ms: Time of appending one event and ranking, one thread, while nothing else runs
            (the 10th percentile of many calls).
        append_difference: Largest difference of a score between appending and reading anew.
        size_bytes: Bytes of tower and rows.
        parity: Agreement of its scores with PyTorch's, before any fine-tuning for it.
        shipped: Whether it is the one in the bundle.
    """

    ndcg: float = 0.0
    ndcg_error: float = 0.0
    append_ms: float = 0.0
    append_difference: float = 0.0
    size_bytes: int = 0
    parity: Mapping[str, float] | None = None
    shipped: bool = False


FULL = Precision("fp32", "float32")
SMALLEST = Precision("int4", "int4")
PRECISIONS = (
    FULL,
    Precision("fp32", "int8"),
    Precision("int8", "int8"),
    Precision("int4", "int8"),
    Precision("int8", "int4"),
    SMALLEST,
)


def _like(variants: Sequence[Variant], wanted: Precision) -> Variant:
    return next(
        v
        for v in variants
        if (v.tower, v.rows, v.training) == (wanted.tower, wanted.rows, wanted.training)
    )


def loses(variants: Sequence[Variant], precision: Precision) -> bool:
    """Whether a precision loses more of fp32's NDCG than it may, noise or not."""
    return _lost(_like(variants, precision), _like(variants, FULL)) > LOST_NDCG


def _lost(variant: Variant, full: Variant) -> float:
    """Share of fp32's NDCG that a variant loses; below 0 where it ranks better."""
    return (full.ndcg - variant.ndcg) / full.ndcg if full.ndcg else 0.0


def _forgiven(variant: Variant, full: Variant) -> float:
    """The largest share that a variant may lose and still be shipped."""
    error = variant.ndcg_error / full.ndcg if full.ndcg else 0.0
    return max(LOST_NDCG, min(error, 2 * LOST_NDCG))


def choose(variants: Sequence[Variant]) -> Variant:
    """The smallest variant that is neither worse nor slower than fp32, and whose cache is exact."""
    full = _like(variants, FULL)
    slowest_ms = max(TIMING_NOISE * full.append_ms, full.append_ms + UNNOTICED_MS)
    good = [
        v
        for v in variants
        if _lost(v, full) <= _forgiven(v, full)
        and v.append_ms <= slowest_ms
        and v.append_difference <= APPEND_TOLERANCE
    ]
    return min([full, *good], key=lambda v: v.size_bytes)


def rows_bytes(contents: BundleContents) -> int:
    """Bytes that catalogue rows and their scales take in a bundle."""
    rows, scales = contents.catalogue.rows, contents.catalogue.scales
    width = contents.model.width
    per_row = -(-width // 2) if contents.model.rows == "int4" else width * rows.itemsize
    return len(rows) * per_row + (0 if scales is None else scales.nbytes)


def stored_rows(
    student: AnyStudent, rows: RowFormat, models: RunModels
) -> tuple[NDArray[Any], NDArray[np.float32] | None]:
    """Item vectors as the bundle's catalogue holds them, and their scales.

    In 4 bits the clip of each row is searched for the least error of a score, over user vectors
    of validation histories.
    """
    with torch.inference_mode():
        vectors = np.ascontiguousarray(student.item_vectors().numpy())
    if rows == "float32":
        return vectors, None
    if rows == "int8":
        return quantize_rows(vectors)
    histories = models.choices.first(_USERS).histories
    users = SequenceScorer(student, models.window).user_vectors(histories)
    return quantize_rows(vectors, 4, importance=np.square(users).mean(axis=0))


def rounded_tower(student: AnyStudent, precision: Precision) -> AnyStudent:
    """A copy whose tower holds the numbers that its ONNX file holds, for other backends."""
    bits = TOWER_BITS[precision.tower]
    if bits is None:
        return student
    rounded = copy.deepcopy(student)
    round_tower(rounded, bits)
    return rounded


def trainable(student: AnyStudent) -> bool:
    """Whether fine-tuning for a precision is worth its time: not for blocks of an LLM."""
    return isinstance(student, Student)


def aware_student(models: RunModels, precision: Precision, key: Mapping[str, Any]) -> AnyStudent:
    """The student fine-tuned with rounded weights and rows, from where its training ended.

    It is left at its best epoch on validation NDCG@10 as it will be stored.
    """
    student = copy.deepcopy(models.student)
    tower_bits, row_bits = TOWER_BITS[precision.tower], ROW_BITS[precision.rows]
    made = False

    def make(folder: Path) -> None:
        nonlocal made
        with quantized(student, tower_bits=tower_bits, row_bits=row_bits):
            _tune(models, student)
        student.save(folder)
        made = True

    folder = models.run.stage("aware", {**key, "precision": asdict(precision)}, make)
    if not made:
        student.load(folder)
    return student


def _tune(models: RunModels, student: AnyStudent) -> None:
    """Train on as the student was trained, for a few passes of small steps."""
    config = models.config
    training = distillation_training(config.student, config.distillation, models.seed)
    training = replace(
        training,
        epochs=AWARE_EPOCHS,
        patience=AWARE_EPOCHS,
        learning_rate=AWARE_RATE * training.learning_rate,
    )
    student.to(models.device)
    labels = models.labelled.labels
    models.fit("fine-tune", student, models.distillation_corpus, training, labels)
    student.to(CPU)
