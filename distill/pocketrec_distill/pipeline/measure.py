"""Measuring what was built: the bundle through the runtime, and every model on both splits."""

import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.evaluation.bootstrap import paired_difference, ratio
from pocketrec_distill.evaluation.metrics import RankingMetrics
from pocketrec_distill.evaluation.ranking import EngineScorer
from pocketrec_distill.models.base import History, SequenceScorer
from pocketrec_runtime import Engine

# The shipped bundle is compared with these, user by user.
RIVALS = ("teacher", "blend", "control", "sasrec", "ease", "itemitem", "popularity")


def times_ms(call: Callable[[], object], calls: int, warm: int) -> NDArray[np.float64]:
    """Milliseconds of each `call()`, float64 (calls,), after `warm` calls."""
    times = []
    for _ in range(warm + calls):
        started = time.perf_counter()
        call()
        times.append((time.perf_counter() - started) * 1e3)
    return np.array(times[warm:])


def usual_ms(times: NDArray[np.float64]) -> dict[str, float]:
    """Median and 95th percentile, as reports show them."""
    median, p95 = np.percentile(times, [50, 95])
    return {"median": float(median), "p95": float(p95)}


def undisturbed_ms(times: NDArray[np.float64]) -> float:
    """What a call takes while the machine does nothing else: the 10th percentile.

    Medians of the same code, a minute apart, differ by half on a shared machine; this hardly does.
    """
    return float(np.percentile(times, 10))


def append_and_rank_ms(engine: Engine, history: History) -> NDArray[np.float64]:
    """Times of one event more and of the ten best unseen items, by a warm engine."""
    *before, last = history.tolist()[-engine.window :]
    state, _ = engine.prefill(before or [last])

    def call() -> None:
        grown, vector = engine.append(state, last)
        engine.rank(vector, 10, exclude=grown.seen)

    return times_ms(call, calls=500, warm=50)


def append_difference(scorer: EngineScorer, histories: Sequence[History]) -> float:
    """Largest difference of a score between appending the last event and reading the whole.

    Histories that fill the window are left out: there the runtime reads a shorter one on purpose.
    """
    engine, largest = scorer.engine, 0.0
    for history in histories:
        *before, last = history.tolist()
        if before and len(history) <= engine.window:
            _, appended = engine.append(engine.prefill(before)[0], last)
            _, whole = engine.prefill(history.tolist())
            difference = np.abs(engine.scores(appended) - engine.scores(whole)).max()
            largest = max(largest, float(difference))
    return largest


def teacher_ms(teacher: SequenceScorer, history: History) -> dict[str, float]:
    """Time of the teacher's answer to the same question, item vectors kept between calls."""
    return usual_ms(times_ms(lambda: teacher.recommend(history, 10), calls=10, warm=2))


def comparisons(test: Mapping[str, RankingMetrics]) -> list[dict[str, object]]:
    """Mean difference in test NDCG@10 of the shipped bundle and each rival, users paired."""
    rows: list[dict[str, object]] = []
    pairs = [("shipped", rival) for rival in RIVALS if rival in test]
    for a, b in [*pairs, ("shipped", "student_fp32")]:
        interval = paired_difference(test[a].ndcg, test[b].ndcg)
        rows.append(
            {"a": a, "b": b, "difference": interval.value, "ci95": [interval.low, interval.high]}
        )
    return rows


def retention(test: Mapping[str, RankingMetrics]) -> dict[str, object]:
    """Share of the teacher's test NDCG@10 that the shipped bundle keeps, users paired."""
    interval = ratio(test["shipped"].ndcg, test["teacher"].ndcg)
    return {"ratio": interval.value, "ci95": [interval.low, interval.high]}
