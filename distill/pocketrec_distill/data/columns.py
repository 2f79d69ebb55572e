"""Which column is which: named in the settings, or found by the field's well-known names."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pocketrec_distill.data.settings import DataSettings
from pocketrec_distill.errors import DataError

# Compared without case and punctuation: `userId`, `USER_ID` and `user id` are one name.
_KNOWN = {
    "user": "userid user uid visitorid customerid customer reviewerid memberid sessionid session",
    "item": "itemid item iid movieid artistid productid product asin parentasin stockcode newsid "
    "sku trackid songid videoid articleid bookid businessid docid contentid",
    "time": "timestamp time ts datetime date unixreviewtime invoicedate eventtime createdat "
    "position order rank sequence",
    "event": "event eventtype behavior behaviour behaviortype action actiontype",
    "weight": "weight count plays playcount",
    "rating": "rating stars overall score",
    "title": "title itemtitle movietitle name itemname productname producttitle artistname "
    "trackname headline description",
}
_KNOWN["item_id"] = _KNOWN["item"] + " id"


@dataclass(frozen=True)
class InteractionColumns:
    """Column of each role in an interactions table; None where the table has none."""

    user: str
    item: str
    time: str | None
    event: str | None
    weight: str | None
    rating: str | None


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def find_column(role: str, chosen: str, names: Sequence[str], *, required: bool) -> str | None:
    """The column of a role among `names`: the chosen one, or the first well-known one.

    Raises:
        DataError: The chosen column does not exist, or a required one is not found.
    """
    if chosen:
        if chosen in names:
            return chosen
        raise DataError(f'[data] {role} = "{chosen}": no such column among {", ".join(names)}')
    plain = {_plain(name): name for name in reversed(names)}
    for candidate in _KNOWN[role].split():
        if candidate in plain:
            return plain[candidate]
    if not required:
        return None
    tried = ", ".join(_KNOWN[role].split()[:6])
    raise DataError(
        f"no {role.replace('_', ' ')} column among {', '.join(names)}; looked for {tried} and the "
        f'like. Name it in the configuration: [data] {role} = "..."'
    )


def find_columns(names: Sequence[str], settings: DataSettings) -> InteractionColumns:
    """The columns of an interactions table.

    Raises:
        DataError: No user or no item column, or a chosen column that does not exist.
    """

    def optional(role: str) -> str | None:
        return find_column(role, getattr(settings, role), names, required=False)

    user = find_column("user", settings.user, names, required=True)
    item = find_column("item", settings.item, names, required=True)
    assert user is not None and item is not None  # noqa: S101, PT018  (required above)
    return InteractionColumns(
        user, item, optional("time"), optional("event"), optional("weight"), optional("rating")
    )
