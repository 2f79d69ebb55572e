"""The accuracy run: are the answers that are timed the answers of the model?

The reference ranks by brute force: user vectors of the float32 tower, inner products with every
row in float64, a stable sort. Nothing of the scan that is measured takes part in it.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pocketrec_bench.errors import QualityError
from pocketrec_bench.figures import Accuracy
from pocketrec_bench.queries import Queries
from pocketrec_bench.results import Division
from pocketrec_runtime import Engine
from pocketrec_runtime.bundle import Bundle
from pocketrec_runtime.errors import InputError
from pocketrec_runtime.towers import RunSettings

FLOOR = 0.99
"""Share of the reference's quality that must be kept: MLPerf's 99% of FP32."""

TOP = 10
_DISCOUNTS = 1 / np.log2(np.arange(TOP) + 2)


class Reference:
    """Ranks a bundle's catalogue without the code that is measured.

    Args:
        bundle: The bundle under test, or another precision of it over the same items.
        name: What it is, in words; None for a description of the bundle under test.
    """

    def __init__(self, bundle: Bundle, name: str | None = None) -> None:
        contents = bundle.contents
        backend = "numpy" if contents.user_tower is None else "onnx"
        self._engine = Engine(bundle, RunSettings(backend=backend))  # type: ignore[arg-type]
        self._catalogue = contents.catalogue
        account = self._engine.backend
        self.name = name or (
            f"the bundle's own {account.precision} weights in {account.backend}, "
            f"{contents.model.rows} rows by brute force in float64"
        )

    @property
    def items(self) -> int:
        """Size of the catalogue."""
        return len(self._catalogue)

    def has_the_items_of(self, engine: Engine) -> bool:
        """Whether another engine ranks the same items, in the same order."""
        return list(self._catalogue.ids) == list(engine.catalogue.ids)

    def top(
        self, histories: Sequence[Sequence[int]], division: Division, k: int = TOP
    ) -> NDArray[np.int64]:
        """The k best items of each history, int64 (histories, k), -1 where there are fewer.

        In the cached division the context is the one that appends leave (see
        `history.context_events`), so that both sides read the same events.
        """
        read = self._engine.reader.read if division == "cached" else self._engine.prefill
        vectors = np.stack([read(history)[1] for history in histories]).astype(np.float64)
        found = np.full((len(histories), k), -1, np.int64)
        for start in range(0, len(histories), _ROWS_AT_ONCE):
            part = slice(start, start + _ROWS_AT_ONCE)
            scores = self._scores(vectors[part])
            for place, history in enumerate(histories[part]):
                scores[place, list(set(history))] = -np.inf
                best = _best(scores[place], k)
                found[start + place, : len(best)] = best
        return found

    def _scores(self, vectors: NDArray[np.float64]) -> NDArray[np.float64]:
        """float64 (vectors, items), rows in chunks: a million of them are never all in float."""
        rows, scales = self._catalogue.rows, self._catalogue.scales
        scores = np.empty((len(vectors), len(rows)), np.float64)
        for start in range(0, len(rows), _CHUNK):
            part = slice(start, start + _CHUNK)
            scores[:, part] = vectors @ rows[part].astype(np.float64).T
        if scales is not None:
            scores *= scales.astype(np.float64)
        scores += self._catalogue.bias
        return scores


_CHUNK = 65_536
_ROWS_AT_ONCE = 8


def judge(
    answers: Sequence[Sequence[int]],
    expected: NDArray[np.int64],
    queries: Queries,
    *,
    k: int = TOP,
    reference: str,
    recorded: float | None = None,
) -> Accuracy:
    """How good answers are beside the reference's.

    Args:
        answers: The items that were answered to each history, best first.
        expected: The reference's, int64 (histories, 10), -1 where there are fewer.
        queries: The histories, with or without held-out items.
        k: Items that were asked for: the reference is cut to as many.
        reference: What the reference is.
        recorded: NDCG@10 that the bundle's manifest promises for these very events, if any.
    """
    given = padded(answers)
    expected = np.where(np.arange(TOP) < k, expected, -1)
    overlap = float(np.mean([_overlap(a, b) for a, b in zip(given, expected, strict=True)]))
    if queries.targets is not None:
        targets = np.array(queries.targets)
        value, best = ndcg(given, targets), ndcg(expected, targets)
    else:
        value, best = agreement(given, expected), 1.0
    ratio = value / best if best > 0 else float(value >= best)
    kept = ratio >= FLOOR and (recorded is None or value >= FLOOR * recorded)
    return Accuracy(
        queries=len(queries),
        metric="agreement@10" if queries.targets is None else "ndcg@10",
        value=value,
        reference_value=best,
        ratio=ratio,
        floor=FLOOR,
        overlap=overlap,
        reference=reference,
        recorded=recorded,
        passed=kept,
    )


def require_quality(accuracy: Accuracy) -> None:
    """Returns where the answers are good enough for their speed to count.

    Raises:
        QualityError: They are not.
    """
    if accuracy.passed:
        return
    against = f"{accuracy.reference_value:.4f} of the reference ({accuracy.reference})"
    if accuracy.ratio >= accuracy.floor:
        against = f"{accuracy.recorded:.4f} that the bundle's manifest records"
    raise QualityError(
        f"the accuracy run failed: {accuracy.metric} is {accuracy.value:.4f} on "
        f"{accuracy.queries} histories, against {against}; at least {accuracy.floor:.0%} must be "
        f"kept (top-10 overlap {accuracy.overlap:.3f}). Speed without quality is not measured"
    )


def ndcg(answers: NDArray[np.int64], targets: NDArray[np.int64]) -> float:
    """Mean NDCG@10 with one relevant item each: 1 / log2(rank + 1), 0 beyond ten."""
    hits = answers == targets[:, None]
    return float((hits * _DISCOUNTS).sum(axis=1).mean())


def agreement(answers: NDArray[np.int64], expected: NDArray[np.int64]) -> float:
    """Mean NDCG@10 where the reference's ten have the relevances 10, 9, ..., 1.

    Relevance itself is the gain (Jarvelin and Kekalainen, 2002), so that an exchange of the last
    two costs little and a lost first item much. Both empty is 1.
    """
    gains = np.arange(TOP, 0, -1.0)
    found = (answers[:, :, None] == expected[:, None, :]) & (expected[:, None, :] >= 0)
    reached = ((found * gains).sum(axis=2) * _DISCOUNTS).sum(axis=1)
    ideal = ((expected >= 0) * gains * _DISCOUNTS).sum(axis=1)
    shares = np.divide(reached, ideal, out=np.ones_like(reached), where=ideal > 0)
    return float(shares.mean())


def padded(answers: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    """Answers as int64 (histories, 10), -1 where there are fewer.

    Raises:
        QualityError: An answer names an item twice.
    """
    found = np.full((len(answers), TOP), -1, np.int64)
    for place, answer in enumerate(answers):
        if len(set(answer)) != len(answer):
            raise QualityError(f"the answer to history {place} names an item twice: {answer}")
        found[place, : len(answer[:TOP])] = answer[:TOP]
    return found


def reference_for(bundle: Bundle, engine: Engine, other: Bundle | None) -> Reference:
    """The bundle's own float32 reference, or another bundle that stands for it.

    Raises:
        InputError: The other bundle has other items.
    """
    if other is None:
        return Reference(bundle)
    name = f"bundle {other.manifest.fingerprint[:12]} by brute force in float64"
    reference = Reference(other, name)
    if not reference.has_the_items_of(engine):
        raise InputError(
            f"the reference has {reference.items} items that are not those of the bundle "
            f"({len(engine.catalogue)}), or in another order; give one of the same catalogue"
        )
    return reference


def _best(scores: NDArray[np.float64], k: int) -> NDArray[np.int64]:
    """Indices of the k best finite scores; equal ones in order of index."""
    k = min(k, int(np.isfinite(scores).sum()))
    if not k:
        return np.empty(0, np.int64)
    floor = np.partition(scores, -k)[-k]
    near = np.flatnonzero(scores >= floor)
    return near[np.argsort(-scores[near], kind="stable")][:k]


def _overlap(given: NDArray[np.int64], expected: NDArray[np.int64]) -> float:
    wanted = expected[expected >= 0]
    return float(np.isin(wanted, given).mean()) if len(wanted) else 1.0
