"""A date in one column and the time of day in another, as tills write them: one time."""

from typing import TYPE_CHECKING

from pocketrec_distill.data.account import CleaningAccount
from pocketrec_distill.data.columns import POSITIONS, known_names, plain_name
from pocketrec_distill.data.contents import is_clock, is_date, is_hour_and_minute
from pocketrec_distill.data.settings import DataSettings
from pocketrec_distill.data.tables import arrow
from pocketrec_distill.data.values import as_text

if TYPE_CHECKING:
    import pyarrow as pa

_MIDNIGHT = r"[T ]0?0:00(:00)?(\.0+)?\s*$"
_ONE_DIGIT = r"^\s*(\d):"
_FOUR_DIGITS = r"^(\d\d)(\d\d)$"


def with_joined_times(
    table: "pa.Table", settings: DataSettings, account: CleaningAccount
) -> "pa.Table":
    """The table, with a date and the time of day beside it as one column in their place.

    A time of day may be a whole number (1630) where there is a date beside it. Both are found by
    their names, among those of a time. A time of day beside a whole time is left out; the only time
    that there is stays. So does everything where the settings name the time.

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
    date = next((name for name in named if is_date(table, name)), None)
    kinds = [is_clock] if date is None else [is_clock, is_hour_and_minute]
    clock = next((name for kind in kinds for name in named if kind(table, name)), None)
    if clock is None or len(named) < 2:
        return table
    if date is None:
        account.note(f"column {clock!r} holds times of day and is not taken as time")
        return table.drop_columns([clock])
    import pyarrow.compute as pc

    days = pc.replace_substring_regex(as_text(table, date), _MIDNIGHT, "")
    hours = pc.replace_substring_regex(as_text(table, clock), _ONE_DIGIT, r"0\1:")
    if not is_clock(table, clock):
        digits = pc.utf8_lpad(pc.utf8_trim_whitespace(hours), 4, "0")
        hours = pc.replace_substring_regex(digits, _FOUR_DIGITS, r"\1:\2")
    space = arrow().scalar(" ", arrow().large_string())
    joined = pc.binary_join_element_wise(days, hours, space)
    account.note(f"{date!r} and {clock!r} are joined to one time; [data] time says otherwise")
    # It takes the place and the name of the date, which is a known one.
    whole = table.set_column(table.column_names.index(date), date, joined)
    return whole.drop_columns([clock])
