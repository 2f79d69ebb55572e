"""A teacher that never leaves its server: a table of the scores that it gave."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.data.columns import find_column, listed
from pocketrec_distill.data.tables import read_table
from pocketrec_distill.data.values import Codes, encode_ids, numbers
from pocketrec_distill.errors import ConfigError, DataError
from pocketrec_distill.models.base import PADDING, Floats
from pocketrec_distill.teachers.protocol import Candidates, Context, check_candidates

if TYPE_CHECKING:
    import pyarrow as pa

# Labels are kept in float16; a logit beyond is a mistake of scale, not an opinion.
LARGEST_SCORE = 1e4
# A probability of 0 or 1 has no logit; a hundred-thousandth from it is as sure as need be.
_SUREST = 1e-5

SCALES = ("logit", "probability")


@dataclass(frozen=True)
class ScoreCoverage:
    """What of a table can be used.

    Attributes:
        rows: Rows of the table.
        rows_of_unknown_items: Rows whose item the catalogue does not have.
        users: Users of the table.
        positions: Moments scored: users, or users times positions.
        items: Distinct catalogue items with a score.
        catalogue: Number of catalogue items.
    """

    rows: int
    rows_of_unknown_items: int
    users: int
    positions: int
    items: int
    catalogue: int

    def as_dict(self) -> dict[str, int]:
        """Plain values, for reports."""
        return asdict(self)

    def __str__(self) -> str:
        used = self.rows - self.rows_of_unknown_items
        return (
            f"{used:,} of {self.rows:,} scores used ({self.rows_of_unknown_items:,} are of items "
            f"outside the catalogue); {self.users:,} users, {self.positions:,} moments, "
            f"{self.items:,} of {self.catalogue:,} items"
        )


@dataclass(frozen=True, eq=False)
class ScoreTable:
    """Scores by user, item and, where given, position. What is not in the table is not known.

    Without positions a score is taken to hold for its user at every moment.

    Attributes:
        users: User id -> its code.
        rows: Moment of each score, user code and position, int64 (scores, 2), sorted; position 0
            where the table has none.
        items: Catalogue index of each score, int32 (scores,), ascending within a moment.
        logits: float32 (scores,).
        catalogue: Number of catalogue items.
        with_positions: Whether the table tells moments of one user apart.
        coverage: What of the table can be used.
    """

    users: Mapping[str, int]
    rows: NDArray[np.int64]
    items: Candidates
    logits: Floats
    catalogue: int
    with_positions: bool
    coverage: ScoreCoverage

    @classmethod
    def open(cls, source: Any, item_ids: Sequence[str], scale: str = "logit") -> "ScoreTable":
        """Read and check a table of columns user, item, score and, optionally, position.

        Args:
            source: Path of a Parquet or delimited file, or a data frame.
            item_ids: The catalogue.
            scale: "logit", or "probability" for scores strictly between 0 and 1.

        Raises:
            DataError: A column is missing; a value is missing, not finite or out of its bounds; a
                user, item and position stand together twice; or no item is of the catalogue.
            ConfigError: An unknown scale.
        """
        if scale not in SCALES:
            raise ConfigError(f"scale of scores is {scale!r}; choose {' or '.join(SCALES)}")
        name = Path(source).name if isinstance(source, str | Path) else "the score table"
        return _checked(read_table(source), item_ids, scale, name)

    def candidate_logits(self, contexts: Sequence[Context], candidates: Candidates) -> Floats:
        """Logits float32 (contexts, candidates), NaN where the table says nothing."""
        check_candidates(contexts, candidates, self.catalogue)
        logits = np.full(candidates.shape, np.nan, dtype=np.float32)
        for row, context in enumerate(contexts):
            known = self._moment(context)
            if known.start == known.stop:
                continue
            items, values = self.items[known], self.logits[known]
            place = np.searchsorted(items, candidates[row]).clip(max=len(items) - 1)
            found = items[place] == candidates[row]
            logits[row, found] = values[place[found]]
        return logits

    def proposals(self, contexts: Sequence[Context], count: int) -> Candidates:
        """The best unseen items that the table knows for each context, int32 (contexts, count)."""
        best = np.full((len(contexts), count), PADDING, dtype=np.int32)
        for row, context in enumerate(contexts):
            known = self._moment(context)
            items, values = self.items[known], self.logits[known]
            fresh = ~np.isin(items, context.history)
            order = np.lexsort((items[fresh], -values[fresh]))[:count]
            best[row, : len(order)] = items[fresh][order]
        return best

    def _moment(self, context: Context) -> slice:
        """Where the scores of a context lie."""
        user = self.users.get(context.user_id, -1)
        wanted = (user, context.events if self.with_positions else 0)
        first, last = np.searchsorted(self.rows[:, 0], [user, user + 1])
        within = self.rows[first:last, 1]
        start, stop = np.searchsorted(within, [wanted[1], wanted[1] + 1])
        return slice(int(first + start), int(first + stop))


def _checked(table: "pa.Table", item_ids: Sequence[str], scale: str, name: str) -> ScoreTable:
    names = table.column_names
    users = _ids(table, find_column("user", "", names, required=True), name)
    items = _ids(table, find_column("item", "", names, required=True), name)
    logits = _logits(table, scale, name)
    with_positions = "position" in names
    positions = _positions(table, name) if with_positions else np.zeros(len(logits), np.int64)
    place = {item: index for index, item in enumerate(item_ids)}
    codes = np.array([place.get(item, -1) for item in items.ids] or [-1], dtype=np.int64)
    indices = codes[items.values]
    order = np.lexsort((items.values, positions, users.values))
    keys = np.column_stack((users.values, positions, items.values))[order]
    twice = np.flatnonzero((keys[1:] == keys[:-1]).all(axis=1))
    if len(twice):
        user, position, item = keys[twice[0]]
        at = f" at position {position}" if with_positions else ""
        raise DataError(
            f"{name} scores item {items.ids[item]!r} of user {users.ids[user]!r}{at} twice; "
            "keep one row of each"
        )
    known = np.flatnonzero(indices >= 0)
    if not len(known):
        raise DataError(
            f"{name} has no score of a catalogue item; its items look like "
            f"{listed(items.ids[:3])}, the catalogue's like {listed(list(item_ids[:3]))}"
        )
    known = known[np.lexsort((indices[known], positions[known], users.values[known]))]
    rows = np.column_stack((users.values, positions))[known].astype(np.int64)
    coverage = ScoreCoverage(
        rows=len(logits),
        rows_of_unknown_items=len(logits) - len(known),
        users=len(np.unique(rows[:, 0])),
        positions=len(np.unique(rows, axis=0)),
        items=len(np.unique(indices[known])),
        catalogue=len(item_ids),
    )
    return ScoreTable(
        {user: code for code, user in enumerate(users.ids)},
        rows,
        indices[known].astype(np.int32),
        logits[known],
        len(item_ids),
        with_positions,
        coverage,
    )


def _ids(table: "pa.Table", column: str | None, name: str) -> Codes:
    assert column is not None  # noqa: S101  (required)
    codes = encode_ids(table, column)
    _refuse(codes.values < 0, f"{name} has no {column}", "give every score a user and an item")
    return codes


def _logits(table: "pa.Table", scale: str, name: str) -> Floats:
    """The scores as logits.

    Raises:
        DataError: No score column, or a score that is no number or out of its bounds.
    """
    column = next((c for c in ("score", "logit", "probability") if c in table.column_names), None)
    if column is None:
        raise DataError(
            f"{name} has columns {listed(table.column_names)}; one named score is needed"
        )
    scores = numbers(table, column)
    _refuse(~np.isfinite(scores), f"{name} has no finite {column}", "leave such rows out")
    if scale == "probability":
        outside = (scores < 0) | (scores > 1)
        _refuse(outside, f"{name} has a probability outside 0 to 1", 'is its scale "logit"?')
        sure = scores.clip(_SUREST, 1 - _SUREST)
        scores = np.log(sure) - np.log1p(-sure)
    _refuse(
        np.abs(scores) > LARGEST_SCORE,
        f"{name} has a score beyond {LARGEST_SCORE:g} in size",
        "scale the scores to logits",
    )
    return scores.astype(np.float32)


def _positions(table: "pa.Table", name: str) -> NDArray[np.int64]:
    values = numbers(table, "position")
    whole = np.isfinite(values) & (values == np.round(values)) & (values >= 1)
    _refuse(
        ~whole,
        f"{name} has a position that is no whole number from 1",
        "a position counts the user's events up to the moment scored",
    )
    return values.astype(np.int64)


def _refuse(wrong: NDArray[np.bool_], what: str, next_step: str) -> None:
    rows = np.flatnonzero(wrong)
    if len(rows):
        raise DataError(f"{what} in row {rows[0] + 1} and {len(rows) - 1:,} more; {next_step}")
