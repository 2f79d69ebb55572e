"""JSON objects as a table: names are columns, values text or lists of texts."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pocketrec_distill.data.json_events import events_of
from pocketrec_distill.data.json_objects import Decimal, objects
from pocketrec_distill.data.listed_text import named
from pocketrec_distill.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

# Objects of a table have the same names; those of a file with ever new ones would fill any memory.
MAX_COLUMNS = 4096
# Objects that are held as such at a time.
_ROWS = 1 << 14


class _NestedError(Exception):
    """A column holds objects, lists of lists, or vectors."""


def read_json(path: Path, encoding: str) -> "pa.Table":
    """A table of one object per line, of one array of objects, or of one object of them by id.

    Every value is text, whole numbers as they are written, so that ids stay what they are; lists
    are lists of texts, of records with a name their names. A user's list of events is one row for
    each. What an object does not have is null.
    A column that holds other objects, lists of lists or vectors of floats is an empty structure,
    which describes no item and can have no role.

    Raises:
        DataError: No object, a line that is none, or more than 4,096 names.
        LookupError: There is no such encoding.
    """
    import pyarrow as pa

    chunks: dict[str, dict[int, pa.Array]] = {}
    lengths: list[int] = []
    for rows in _batches(objects(path, encoding)):
        for name in dict.fromkeys(name for row in rows for name in row):
            chunks.setdefault(name, {})[len(lengths)] = _array([row.get(name) for row in rows])
        if len(chunks) > MAX_COLUMNS:
            raise DataError(
                f"{path.name} has over {MAX_COLUMNS:,} names in its objects; give one object per "
                "interaction or item, with the same names in each"
            )
        lengths.append(len(rows))
    if not chunks:
        raise DataError(f"{path.name} holds no values; it holds one JSON object in each line")
    return pa.table({name: _column(parts, lengths) for name, parts in chunks.items()})


def _batches(
    found: Iterator[tuple[int, Mapping[str, Any]]],
) -> Iterator[list[Mapping[str, Any]]]:
    while rows := [event for _, row in islice(found, _ROWS) for event in events_of(row)]:
        yield rows


def _array(values: Sequence[object]) -> "pa.Array":
    """Texts, lists of texts, or nulls of an empty structure."""
    import pyarrow as pa

    kinds = set(map(type, values))
    try:
        if list in kinds or tuple in kinds:
            return pa.array(list(map(_texts, values)), pa.list_(pa.large_string()))
        return pa.array(list(map(_text, values)), pa.large_string())
    except _NestedError:
        return pa.nulls(len(values), pa.struct([]))


def _text(value: object) -> str | None:
    """A value as JSON spells it; None for null and what is no number.

    Raises:
        _NestedError: It has parts.
    """
    if type(value) is str:
        return value
    if value is None or value != value:  # noqa: PLR0124  (NaN is the value unequal to itself)
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dict, list, tuple, set)):
        raise _NestedError
    return str(value)


def _texts(value: object) -> list[str | None] | None:
    """The texts of a list; any other value as a list of one.

    Raises:
        _NestedError: It holds objects without a name, lists, or numbers with a point.
    """
    if not isinstance(value, (list, tuple)):
        return None if (text := _text(value)) is None else [text]
    if any(isinstance(part, (float, Decimal)) for part in value):
        raise _NestedError
    return [_text(named(part)) for part in value]


def _column(parts: Mapping[int, "pa.Array"], lengths: Sequence[int]) -> "pa.ChunkedArray":
    """One column of the chunks that have it, nulls in the others; of the widest type of all."""
    import pyarrow as pa

    nested = [part.type for part in parts.values() if pa.types.is_nested(part.type)]
    kind = next(filter(pa.types.is_struct, nested), nested[0] if nested else pa.large_string())
    absent = {length: pa.nulls(length, kind) for length in set(lengths)}
    return pa.chunked_array(
        [
            _as(parts[chunk], kind) if chunk in parts else absent[length]
            for chunk, length in enumerate(lengths)
        ],
        kind,
    )


def _as(part: "pa.Array", kind: "pa.DataType") -> "pa.Array":
    """A chunk as its column's type: text as lists of one, and nothing as a structure."""
    import pyarrow as pa

    if part.type == kind:
        return part
    if pa.types.is_struct(kind):
        return pa.nulls(len(part), kind)
    return pa.array([None if text is None else [text] for text in part.to_pylist()], kind)
