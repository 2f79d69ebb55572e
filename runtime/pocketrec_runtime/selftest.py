"""The golden self-test: does this device answer as the bundle's maker did?"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pocketrec_runtime.bundle import BundleContents, Golden, GoldenQuery, assemble
from pocketrec_runtime.errors import InputError, SelfTestError
from pocketrec_runtime.lookup import resolve
from pocketrec_runtime.towers import RunSettings, backends_of

if TYPE_CHECKING:
    from pocketrec_runtime.engine import Engine


def record_golden(
    contents: BundleContents,
    histories: Sequence[Sequence[str]],
    *,
    k: int = 10,
    tolerance: float = 1e-3,
) -> BundleContents:
    """The contents with golden queries, answered by this runtime.

    Args:
        contents: What to record; its own golden queries are replaced.
        histories: At least one history of known item ids.
        k: Items per answer.
        tolerance: Largest difference of a score that another device may show.

    Where the contents have a `user_tower.gguf`, every backend on this device answers from it too,
    and twice the largest difference found becomes its own tolerance: rounded weights are no error.

    Raises:
        InputError: No histories, one is empty, or an id is not in the catalogue.
        BundleFormatError: A model file does not open, or does not fit the contents.
    """
    from pocketrec_runtime.engine import Engine

    if not histories:
        raise InputError("no histories to record; give at least one")
    bundle = assemble(replace(contents, golden=Golden()))
    engine = Engine(bundle)
    queries = tuple(_record(engine, tuple(history), k) for history in histories)
    if contents.user_tower_gguf is None:
        return replace(contents, golden=Golden(queries, tolerance))
    differences = [
        _difference(Engine(bundle, RunSettings(backend=backend)), queries)
        for backend in backends_of(contents)
        if backend != "onnx"
    ]
    gguf_tolerance = max(tolerance, 2 * max(differences))
    return replace(contents, golden=Golden(queries, tolerance, gguf_tolerance))


def self_test(engine: "Engine", golden: Golden) -> None:
    """Returns where every golden query is answered as recorded.

    Devices round differently, so that items whose scores lie within the tolerance may change
    places: what is held is the score at every rank, and the score of every recorded item. The
    cache is held too: appending the last event must score as reading the whole history does.

    Raises:
        SelfTestError: A query is answered otherwise; the message names it.
    """
    tolerance = golden.tolerance_of(engine.backend.file)
    for number, query in enumerate(golden.queries):
        answer = engine.recommend(query.history, query.k)
        found = np.array([item.score for item in answer.items])
        again = [item.score for item in engine.score(query.history, query.item_ids).items]
        _hold(f"golden query {number}, by rank", found, query.scores, tolerance)
        _hold(f"golden query {number}, by item", np.array(again), query.scores, tolerance)
        if 1 < len(query.history) <= engine.window:
            appended = _scores_by_append(engine, query)
            _hold(f"golden query {number}, appended", appended, query.scores, tolerance)


def _difference(engine: "Engine", queries: Sequence[GoldenQuery]) -> float:
    """Largest difference of a recorded item's score, and of the score at any rank."""
    gaps = [0.0]
    for query in queries:
        ranked = engine.recommend(query.history, query.k).items
        listed = engine.score(query.history, query.item_ids).items
        for items in (ranked, listed):
            found = np.array([item.score for item in items])
            gaps.append(float(np.abs(found - np.array(query.scores)).max(initial=0.0)))
    return max(gaps)


def _record(engine: "Engine", history: tuple[str, ...], k: int) -> GoldenQuery:
    answer = engine.recommend(history, k)
    if answer.unknown or not history:
        raise InputError(f"golden history {history[:5]} is empty or holds unknown ids")
    return GoldenQuery(
        history=history,
        k=k,
        item_ids=tuple(item.item_id for item in answer.items),
        scores=tuple(item.score for item in answer.items),
    )


def _scores_by_append(engine: "Engine", query: GoldenQuery) -> NDArray[np.float32]:
    history, _ = resolve(engine.catalogue, query.history, "history")
    wanted, _ = resolve(engine.catalogue, query.item_ids, "item_ids")
    state, _ = engine.prefill(history[:-1])
    _, vector = engine.append(state, history[-1])
    return engine.scan.scores(vector, np.array(wanted, np.int64))


def _hold(what: str, found: NDArray[Any], expected: tuple[float, ...], tolerance: float) -> None:
    if len(found) != len(expected):
        raise SelfTestError(f"{what}: {len(found)} items; recorded were {len(expected)}")
    # Written so that NaN fails.
    wrong = ~(np.abs(found - np.array(expected)) <= tolerance)
    if wrong.any():
        at = int(np.flatnonzero(wrong)[0])
        raise SelfTestError(
            f"{what}: item {at} scores {found[at]:.6g}, recorded was {expected[at]:.6g} with "
            f"tolerance {tolerance:g}; this device or backend does not run the model correctly"
        )
