"""Exact top-k: which rows could be among the best, and which of those are."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketrec_runtime.catalogue import Catalogue
from pocketrec_runtime.errors import InputError
from pocketrec_runtime.scan.blas import FloatCoarse
from pocketrec_runtime.scan.coarse import BlockBounds, Coarse
from pocketrec_runtime.scan.exact import ItemRows, quick_rows
from pocketrec_runtime.scan.fixed import FixedQuery, fix
from pocketrec_runtime.scan.integer import IntegerCoarse
from pocketrec_runtime.scan.ranks import ranks_of
from pocketrec_runtime.scan.select import best, check_k, check_mask, checked_rows

_Scored = tuple[NDArray[np.int64], NDArray[np.float32]]
_NO_ROWS = np.empty(0, np.int64)


@dataclass(frozen=True, eq=False)
class TopK:
    """The best items for a query, best first.

    Attributes:
        indices: int64, at most k item indices; equal scores stand in order of index.
        scores: float32, their exact scores (see `ItemRows`), finite.
        rescored: How many rows were scored exactly. Every other row was left out by a filter, or
            proven to score less than the last item of the answer.
    """

    indices: NDArray[np.int64]
    scores: NDArray[np.float32]
    rescored: int


_EMPTY = TopK(_NO_ROWS, np.empty(0, np.float32), rescored=0)


class Scan:
    """Exact top-k over a catalogue. Safe to share among threads; holds no float copy of the rows.

    A coarse pass over all rows bounds the best score of every block of rows from above and from
    below. The k-th highest lower bound is a floor that the k-th best item reaches; a block whose
    upper bound lies below it holds none of the best. What is left is scored exactly.

    Args:
        catalogue: The items; its rows are read where they lie.
        threads: Threads of one coarse pass.
        direct_rows: Up to so many rows are scored exactly at once; None is where that is less work
            than a coarse pass before it.
    """

    def __init__(
        self, catalogue: Catalogue, *, threads: int = 1, direct_rows: int | None = None
    ) -> None:
        self._allowed = catalogue.allowed
        self._rows = ItemRows(catalogue.rows, catalogue.scales, catalogue.bias)
        if direct_rows is None:
            direct_rows = quick_rows(self._rows.width, floats=catalogue.scales is None)
        self._direct_rows = direct_rows
        few = len(catalogue) <= self._direct_rows
        self._coarse = None if few else _open_coarse(catalogue, threads)
        self._block = 1 if self._coarse is None else self._coarse.block

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def coarse(self) -> Coarse | None:
        """The coarse pass, to be measured; None where few rows are all scored exactly."""
        return self._coarse

    def scores(
        self, query: NDArray[np.float32], indices: NDArray[np.int64] | None = None
    ) -> NDArray[np.float32]:
        """Exact scores of all items, float32 (n,), or of some; NaN where the query is not finite.

        Args:
            query: The user vector, float32 (width,).
            indices: Item indices, each in 0 to n - 1; None is all.

        Raises:
            InputError: The query has another shape.
        """
        fixed = self._fixed(query)
        if fixed is None:
            return np.full(len(self) if indices is None else len(indices), np.nan, np.float32)
        return self._rows.scores(fixed, indices)

    def scores_batch(
        self, queries: Sequence[NDArray[np.float32]] | NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """`scores` of several queries, float32 (queries, n); the rows are read once for all.

        Args:
            queries: User vectors, float32 (queries, width).

        Raises:
            InputError: A query has another shape.
        """
        fixed = [self._fixed(query) for query in queries]
        scores = np.full((len(fixed), len(self)), np.nan, np.float32)
        finite = np.array([query is not None for query in fixed], np.bool_)
        known = [query for query in fixed if query is not None]
        for part, found in self._rows.scores_in_parts(known):
            scores[finite, part] = found.T
        return scores

    def ranks(
        self, queries: NDArray[np.float32], item: int, exclude: Collection[int] = ()
    ) -> NDArray[np.int64]:
        """Ranks (1 is best) of one item for each query, int64 (queries,), as `top_k` orders.

        Args:
            queries: User vectors, float32 (queries, width), finite.
            item: An item index; it is ranked though excluded or retired.
            exclude: Item indices that it is not ranked among.

        Raises:
            InputError: An index is out of bounds, or a query has another shape or is not finite.
        """
        candidates = np.ones(len(self), np.bool_)
        candidates[checked_rows(exclude, len(self))] = False
        allowed = self._allowed(candidates)
        fixed = [query for row in queries if (query := self._fixed(row)) is not None]
        if len(fixed) != len(queries):
            raise InputError("a user vector holds NaN or infinity; nothing ranks for it")
        if allowed is None:
            allowed = candidates
        return ranks_of(self._rows, fixed, int(checked_rows([item], len(self))[0]), allowed)

    def top_k(
        self,
        query: NDArray[np.float32],
        k: int,
        *,
        exclude: Collection[int] | NDArray[np.int64] = (),
        allow: NDArray[np.bool_] | None = None,
    ) -> TopK:
        """The k items of highest score that the filters leave, best first; exact.

        k above n is n. Retired items are left out, and an item whose score is not finite never
        wins; a query that is not finite has no best items. The masks are read where they matter
        and never copied.

        Args:
            query: The user vector, float32 (width,).
            k: How many, at least 1.
            exclude: Item indices that are not returned.
            allow: bool (n,), True where an item may be returned; None is all.

        Raises:
            InputError: k is below 1, an index is out of bounds, or a shape does not fit.
        """
        return self.top_k_batch([query], k, exclude=[exclude], allow=allow)[0]

    def top_k_batch(
        self,
        queries: Sequence[NDArray[np.float32]] | NDArray[np.float32],
        k: int,
        *,
        exclude: Sequence[Collection[int] | NDArray[np.int64]] | None = None,
        allow: NDArray[np.bool_] | None = None,
    ) -> list[TopK]:
        """`top_k` of several queries, equal to one call each; the rows are read once for 16.

        Args:
            queries: User vectors, float32 (queries, width).
            k: How many for each, at least 1.
            exclude: Per query the item indices that are not returned; None is none.
            allow: bool (n,), for all queries.

        Raises:
            InputError: As `top_k`, or there are not as many `exclude` as queries.
        """
        k = min(check_k(k), len(self))
        if exclude is not None and len(exclude) != len(queries):
            raise InputError(f"{len(exclude)} exclude for {len(queries)} queries; give one each")
        if allow is not None:
            check_mask(allow, len(self))
        allow = self._allowed(allow)
        left_out = [checked_rows(each, len(self)) for each in exclude or [()] * len(queries)]
        fixed = [self._fixed(query) for query in queries]
        bounds = self._bounds(fixed, k, allow)
        return [
            _EMPTY if query is None else self._select(query, k, known, without, allow)
            for query, known, without in zip(fixed, bounds, left_out, strict=True)
        ]

    def _fixed(self, query: NDArray[np.float32]) -> FixedQuery | None:
        if query.shape != (self._rows.width,):
            raise InputError(f"vector has shape {query.shape}; give ({self._rows.width},)")
        return fix(query.astype(np.float32, copy=False))

    def _bounds(
        self, queries: list[FixedQuery | None], k: int, allow: NDArray[np.bool_] | None
    ) -> list[BlockBounds | None]:
        """Coarse bounds, None for each query that is better scored exactly at once."""
        none: list[BlockBounds | None] = [None] * len(queries)
        if self._coarse is None or 2 * k * self._coarse.block > len(self):
            return none
        if allow is not None and int(np.count_nonzero(allow)) <= self._direct_rows:
            return none
        finite = [query for query in queries if query is not None]
        found = iter(self._coarse.bounds(finite))
        return [None if query is None else next(found) for query in queries]

    def _select(
        self,
        query: FixedQuery,
        k: int,
        bounds: BlockBounds | None,
        exclude: NDArray[np.int64],
        allow: NDArray[np.bool_] | None,
    ) -> TopK:
        if bounds is None or self._coarse is None:
            rows = None if allow is None else np.flatnonzero(allow)
            return _best_of([self._scored(query, rows, exclude)], k)
        if allow is None:
            blocks = _blocks_in_reach(bounds, k, exclude // self._coarse.block)
            return _best_of([self._scored(query, self._rows_of(blocks, None), exclude)], k)
        return self._select_allowed(query, k, bounds, exclude, allow)

    def _select_allowed(
        self,
        query: FixedQuery,
        k: int,
        bounds: BlockBounds,
        exclude: NDArray[np.int64],
        allow: NDArray[np.bool_],
    ) -> TopK:
        """Opens blocks from the highest upper bound down, until no other can reach the k-th best.

        Lower bounds say nothing here, as the best row of a block may be left out; but in expected
        numbers, whatever share of the rows is allowed, the same count of them is scored.
        """
        upper = bounds.upper
        share = int(np.count_nonzero(allow)) / len(self)
        count = 1 + int(k / share)
        found: list[_Scored] = []
        floor, opened = -math.inf, math.inf
        while opened > -math.inf and opened > floor:
            at = max(0, upper.size - count)
            cut = max(floor, float(np.partition(upper, at)[at]) if at else -math.inf)
            blocks = np.flatnonzero((upper >= cut) & (upper < opened))
            found.append(self._scored(query, self._rows_of(blocks, allow), exclude))
            floor, opened, count = _kth_best(found, k), cut, 4 * count
        return _best_of(found, k)

    def _rows_of(
        self, blocks: NDArray[np.int64], allow: NDArray[np.bool_] | None
    ) -> NDArray[np.int64]:
        """Ascending indices of the rows in ascending blocks that the mask allows."""
        if self._block == 1:
            rows = blocks
        else:
            rows = (blocks[:, None] * self._block + np.arange(self._block)).ravel()
            if rows.size and rows[-1] >= len(self):
                rows = rows[rows < len(self)]
        return rows if allow is None else rows[allow[rows]]

    def _scored(
        self, query: FixedQuery, rows: NDArray[np.int64] | None, exclude: NDArray[np.int64]
    ) -> _Scored:
        scores = self._rows.scores(query, rows)
        if rows is None:
            scores[exclude] = -np.inf
            return np.arange(len(self)), scores
        if exclude.size and rows.size:
            places = np.searchsorted(rows, exclude).clip(max=rows.size - 1)
            scores[places[rows[places] == exclude]] = -np.inf
        return rows, scores


def _open_coarse(catalogue: Catalogue, threads: int) -> Coarse:
    if catalogue.scales is None:
        return FloatCoarse(catalogue.rows.astype(np.float32, copy=False), catalogue.bias)
    rows = catalogue.rows.astype(np.int8, copy=False)
    return IntegerCoarse(rows, catalogue.scales, catalogue.bias, threads)


def _blocks_in_reach(bounds: BlockBounds, k: int, spoilt: NDArray[np.int64]) -> NDArray[np.int64]:
    """Ascending blocks that may hold one of the k best; a spoilt block's best row is left out."""
    lower = bounds.lower
    if spoilt.size:
        lower = lower.copy()
        lower[spoilt] = -np.inf
    floor = np.partition(lower, lower.size - k)[lower.size - k]
    return np.flatnonzero(bounds.upper >= floor)


def _kth_best(found: list[_Scored], k: int) -> float:
    """The k-th highest finite score so far; -inf where there are fewer."""
    scores = np.concatenate([scores for _, scores in found])
    scores = scores[np.isfinite(scores)]
    if scores.size < k:
        return -math.inf
    return float(np.partition(scores, scores.size - k)[scores.size - k])


def _best_of(found: list[_Scored], k: int) -> TopK:
    rows, scores = found[0]
    if len(found) > 1:
        rows, scores = (np.concatenate(parts) for parts in zip(*found, strict=True))
        order = np.argsort(rows, kind="stable")
        rows, scores = rows[order], scores[order]
    places, values = best(scores, k)
    return TopK(rows[places], values, rescored=len(rows))
