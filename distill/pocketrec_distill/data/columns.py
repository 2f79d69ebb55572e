"""Which column is which: named in the settings, or found by the field's well-known names."""

import re
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache

from pocketrec_distill.data.settings import DataSettings
from pocketrec_distill.errors import DataError

# Compared without case and punctuation: `userId`, `USER_ID` and `user id` are one name. Earlier
# names go first; no name stands for two roles.
_KNOWN = {
    "user": "userid user uid visitorid customerid customer reviewerid memberid accountid clientid "
    "profileid personid playerid householdid householdkey deviceid sessionid session",
    # From what is listened to, watched or read to what is bought, and to who made it.
    "item": "itemid item iid trackid songid videoid movieid articleid newsid bookid gameid animeid "
    "recipeid courseid contentid docid postid listingid productid product asin parentasin "
    "stockcode sku businessid venueid hotelid artistid",
    "time": "timestamp time ts datetime date unixreviewtime invoicedate eventtime createdat "
    "eventdate ratedat playedat watchedat listenedat viewedat clickedat purchasedat orderedat "
    "orderdate purchasedate transactiondate transactiondt tdat impressiontime reviewdate dateadded "
    "position order rank sequence",
    "event": "event eventtype behavior behaviour behaviortype action actiontype",
    "weight": "weight count plays playcount",
    "rating": "rating stars overall score",
    "title": "title itemtitle movietitle name itemname productname producttitle trackname "
    "headline description artistname",
}
_KNOWN["item_id"] = _KNOWN["item"] + " id"

# Names of a time that say no more than an order; a column of order numbers such as "A-17" is none.
POSITIONS = ("position", "order", "rank", "sequence")

# What a setting says of a role that no column has, whatever the names.
NONE = "none"

# A number, a date or a time of day.
_VALUE = re.compile(r"\s*[-+]?\d[\d.,:/ T+-]*([AaPp][Mm]|Z)?\s*")

# What may stand between the values of a text file.
SEPARATORS = "values stand between commas, tabs, ; | \\x01 :: or spaces"

# Names of a user that say no more than a visit.
VISITS = ("sessionid", "session")

# How the name of a column of ids ends: `track_id` is of tracks.
_ID_WORDS = re.compile(r"(id|sku|code|asin|number|no|key)$")
_NAMELESS = re.compile(r"\s*(Unnamed[:_ ]+[\d._]+)?")
_SHOWN_NAMES = 12
# Names that are remembered: those of the objects of a file are few, and come again.
_CACHED_NAMES = 256


@dataclass(frozen=True)
class InteractionColumns:
    """Column of each role in an interactions table; None where the table has none."""

    user: str
    item: str
    time: str | None
    event: str | None
    weight: str | None
    rating: str | None

    def used(self) -> frozenset[str]:
        """Columns that have a role."""
        return frozenset(self.as_dict().values())

    def as_dict(self) -> dict[str, str]:
        """Role -> column, of those that the table has."""
        return {role: name for role, name in asdict(self).items() if name is not None}


def plain_name(name: str) -> str:
    """A column name without case and punctuation; as it is where nothing else would be left."""
    return re.sub(r"[^a-z0-9]", "", name.lower()) or name


def plain_columns(names: Sequence[str]) -> dict[str, str]:
    """Plain name -> column; the first of equal ones."""
    return {plain_name(name): name for name in reversed(names)}


def is_nameless(name: str) -> bool:
    """Whether a column has no name: `""`, or `Unnamed: 0`, as pandas calls row labels it reads."""
    return _NAMELESS.fullmatch(name) is not None


def known_names(role: str) -> tuple[str, ...]:
    """Well-known plain names of a role, the first choice first."""
    return tuple(_KNOWN[role].split())


@lru_cache(_CACHED_NAMES)
def is_known(name: str, *roles: str) -> bool:
    """Whether a column has a well-known name of one of these roles."""
    plain = plain_name(name)
    return any(plain in known_names(role) for role in roles)


def stem_of(item: str) -> str:
    """What a column of item ids is named after, such as `track`; empty for an `id` alone."""
    return _ID_WORDS.sub("", plain_name(item))


def title_names(item: str) -> tuple[str, ...]:
    """Plain names of titles in an items table, the first choice first.

    Of tracks, `track_name` or `track` is the title rather than `artist_name`.

    Args:
        item: The column of ids.
    """
    *known, maker = known_names("title")
    if not (stem := stem_of(item)):
        return (*known, maker)
    own = ("title", f"{stem}title", "name", f"{stem}name")
    return tuple(dict.fromkeys((*own, *known, stem, maker)))


def find_column(
    role: str,
    chosen: str,
    names: Sequence[str],
    *,
    required: bool,
    taken: Collection[str] = frozenset(),
    wanted: Sequence[str] = (),
) -> str | None:
    """The column of a role among `names`: the chosen one, or the first well-known one.

    Args:
        role: Key of the `[data]` section.
        chosen: What the settings say; empty to look for it, "none" where no column has the role.
        names: Columns of the table.
        required: Whether having none is an error.
        taken: Columns that have a role already; they are not looked at.
        wanted: Plain names to look for; the well-known ones of the role if there are none.

    Raises:
        DataError: The chosen column does not exist, or a required one is not found.
    """
    if chosen:
        if chosen in names:
            return chosen
        if chosen == NONE and not required:
            return None
        raise DataError(f'[data] {role} = "{chosen}": no such column among {listed(names)}')
    plain = plain_columns([name for name in names if name not in taken])
    for candidate in wanted or known_names(role):
        if candidate in plain:
            return plain[candidate]
    if not required:
        return None
    alone = f", and {SEPARATORS}" if len(names) == 1 else ""
    if headless := on_missing_header(names):
        raise DataError(
            f"no {role.replace('_', ' ')} column among {listed(names)}; {headless}{alone}"
        )
    tried = ", ".join(known_names(role)[:6])
    raise DataError(
        f"no {role.replace('_', ' ')} column among {listed(names)}; looked for {tried} and the "
        f'like. Name it in the configuration: [data] {role} = "..."; '
        f"the first line of a text file must name the columns{alone}"
    )


def has_known_name(names: Sequence[str]) -> bool:
    """Whether a column has a well-known name of a user, an item, a time or a title."""
    return any(is_known(name, "user", "item_id", "time", "title") for name in names)


def on_missing_header(names: Sequence[str]) -> str:
    """What to do where the names of columns look like values; empty where they may be names.

    A number, a date, nothing or the same twice is no name, if none among them is a well-known one.
    The numbers from 0 on are those of a data frame without names.
    """
    values = [name for name in names if _VALUE.fullmatch(name)]
    doubtful = values or "" in names[1:] or len(set(names)) < len(names)
    counted = list(names) == [str(number) for number in range(len(names))]
    if not doubtful or counted or has_known_name(names):
        return ""
    count = f"{len(names)} " if len(names) > 1 else ""
    return (
        f"the file seems to have no header; if it is text, add a first line with its {count}names, "
        "such as user_id,item_id,timestamp (of items item_id,title), between its own separators"
    )


def listed(names: Sequence[str]) -> str:
    """The names for a message; the first ones and a count if they are many, each cut if long."""
    shown = ", ".join(
        name if len(name) <= 60 else f"{name[:57]}..." for name in names[:_SHOWN_NAMES]
    )
    more = len(names) - _SHOWN_NAMES
    return shown + (f" and {more:,} more" if more > 0 else "")


def find_columns(
    names: Sequence[str], settings: DataSettings, passed: Collection[str] = ()
) -> InteractionColumns:
    """The columns of an interactions table; a column has one role only.

    Args:
        names: Columns of the table.
        settings: Columns that were chosen.
        passed: Columns that no name makes anything.

    Raises:
        DataError: No user or no item column, a chosen column that does not exist, or one chosen
            for two roles.
    """
    roles = ("user", "item", "time", "event", "weight", "rating")
    owner: dict[str, str] = {}
    for role in roles:
        name = getattr(settings, role)
        if name == NONE and NONE not in names:
            continue
        if name and owner.setdefault(name, role) != role:
            raise DataError(
                f'[data] {owner[name]} and {role} both name column "{name}"; give each its own'
            )

    taken = {*owner, *passed}

    def found(role: str, *, required: bool = False) -> str | None:
        return find_column(role, getattr(settings, role), names, required=required, taken=taken)

    user, item = found("user", required=True), found("item", required=True)
    assert user is not None and item is not None  # noqa: S101, PT018  (required above)
    return InteractionColumns(user, item, *(found(role) for role in roles[2:]))
