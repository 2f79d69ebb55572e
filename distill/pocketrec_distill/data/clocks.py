"""A date in one column and the time of day in another, as tills write them: one time."""

from typing import TYPE_CHECKING, Any

from pocketrec_distill.data.account import CleaningAccount
from pocketrec_distill.data.columns import POSITIONS, known_names, plain_name
from pocketrec_distill.data.roles import MOST, SAMPLE
from pocketrec_distill.data.settings import DataSettings
from pocketrec_distill.data.tables import arrow
from pocketrec_distill.data.values import as_text, is_text

if TYPE_CHECKING:
    import pyarrow as pa

_CLOCK = r"^\s*\d{1,2}:\d\d(:\d\d(\.\d+)?)?(\s*[AaPp][Mm])?\s*$"
_HAS_CLOCK = r"\d:\d\d"


def with_joined_times(
    table: "pa.Table", settings: DataSettings, account: CleaningAccount
) -> "pa.Table":
    """The table, with a date and the time of day beside it as one column in their place.

    Both are found by their names, among those of a time. A time of day beside a whole time is left
    out; the only time that there is stays. So does everything where the settings name the time.

    Args:
        table: Interactions.
        settings: Columns that were chosen.
        account: Gets a note of what was joined.
    """
    if settings.time:
        return table
    taken = {settings.user, settings.item, settings.event, settings.weight, settings.rating}
    times = {*known_names("time")} - {*POSITIONS}
    named = [name for name in table.column_names if plain_name(name) in times and name not in taken]
    clock = next((name for name in named if _is_clock(table[name])), None)
    others = [name for name in named if name != clock]
    if clock is None or not others:
        return table
    date = next((name for name in others if _is_date(table[name])), None)
    if date is None:
        account.note(f"column {clock!r} holds times of day and is not taken as time")
        return table.drop_columns([clock])
    import pyarrow.compute as pc

    space = arrow().scalar(" ", arrow().large_string())
    joined = pc.binary_join_element_wise(as_text(table, date), as_text(table, clock), space)
    account.note(f"{date!r} and {clock!r} are joined to one time; [data] time says otherwise")
    # It takes the place and the name of the date, which is a known one.
    whole = table.set_column(table.column_names.index(date), date, joined)
    return whole.drop_columns([clock])


def _matching(column: Any, form: str) -> float:
    """Share of the first values that have a form; 0 where there is none, or no text."""
    import pyarrow.compute as pc

    values = column.drop_null()[:SAMPLE]
    if not len(values):
        return 0.0
    texts = values.cast(arrow().large_string())
    return float(pc.mean(pc.match_substring_regex(texts, form)).as_py())


def _is_clock(column: Any) -> bool:
    """Whether a column holds times of day."""
    if arrow().types.is_time(column.type):
        return bool(len(column) > column.null_count)
    return is_text(column.type) and _matching(column, _CLOCK) >= MOST


def _is_date(column: Any) -> bool:
    """Whether a column may hold dates, without a time of day."""
    if arrow().types.is_date(column.type):
        return True
    return is_text(column.type) and _matching(column, _HAS_CLOCK) == 0
