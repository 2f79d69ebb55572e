"""Cross-validation over users: which penalties, and scores of rows that the head never saw."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.clicks.head import (
    PENALTIES,
    ClickHead,
    ClickRows,
    Penalties,
    fit_head,
    folds_of,
)
from pocketrec_distill.evaluation.pointwise import auc, group_auc
from pocketrec_distill.progress import progress

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class CrossFit:
    """What the cross-validation found.

    Attributes:
        penalties: The best of PENALTIES.
        scores: Score of each row by a head that did not learn from its user, float32 (rows,).
        figures: Out-of-fold AUC (and group AUC, where impressions have both labels) of the
            student.
        teacher_figures: The same of the teacher, on the encoder's own vectors.
        tried: Each of PENALTIES with its figure.
    """

    penalties: Penalties
    scores: Floats
    figures: Mapping[str, float]
    teacher_figures: Mapping[str, float]
    tried: Sequence[Mapping[str, Any]]


def cross_fit(
    exact: ClickRows,
    device: ClickRows,
    users: Sequence[str],
    folds: int,
    teacher_weight: float,
) -> CrossFit:
    """Choose penalties by the teacher, then score every row out of fold with both heads.

    Args:
        exact: Rows with the encoder's vectors of the candidates.
        device: The same rows with the item tower's.
        users: User of each impression.
        folds: How many parts.
        teacher_weight: Share of the teacher in the student's loss.

    Raises:
        ConfigError: There are fewer users than folds.
        DataError: All labels are equal.
    """
    place = folds_of(users, folds)
    parts = [
        (np.flatnonzero(place != fold), np.flatnonzero(place == fold)) for fold in range(folds)
    ]
    tried = []
    with progress(total=(len(PENALTIES) + 1) * folds, label="click head", unit="fit") as bar:
        for penalties in PENALTIES:
            scores = np.empty(len(exact.labels), np.float32)
            for kept, held_out in parts:
                head = fit_head(exact.take(kept), penalties)
                scores[_rows(exact, held_out)] = head.scores(exact.take(held_out))
                bar.update()
            tried.append((penalties, _figures(scores, exact)))
        best, teacher_figures = max(tried, key=lambda pair: _choice(pair[1]))
        found = np.empty(len(device.labels), np.float32)
        for kept, held_out in parts:
            head = distilled_head(exact.take(kept), device.take(kept), best, teacher_weight)
            found[_rows(device, held_out)] = head.scores(device.take(held_out))
            bar.update()
    rows = [{**asdict(penalties), **figures} for penalties, figures in tried]
    return CrossFit(best, found, _figures(found, device), teacher_figures, rows)


def distilled_head(
    exact: ClickRows, device: ClickRows, penalties: Penalties, teacher_weight: float
) -> ClickHead:
    """The student's head on `device` rows, taught by a head on the encoder's own vectors."""
    teacher = fit_head(exact, penalties)
    return fit_head(
        device, penalties, teacher_scores=teacher.scores(exact), teacher_weight=teacher_weight
    )


def _rows(rows: ClickRows, impressions: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Rows of these impressions; impressions are given in rising order."""
    return np.isin(rows.impression, impressions)


def _figures(scores: Floats, rows: ClickRows) -> dict[str, float]:
    figures = {"auc": auc(scores, rows.labels)}
    if rows.both_labels.any():
        figures["group_auc"] = group_auc(scores, rows.labels, rows.impression).mean
    return figures


def _choice(figures: Mapping[str, float]) -> float:
    return figures.get("group_auc", figures["auc"])
