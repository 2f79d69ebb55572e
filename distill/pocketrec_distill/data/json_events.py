"""JSON objects of users that hold their events in a list: one object per event."""

from collections.abc import Mapping, Sequence
from typing import Any

from pocketrec_distill.data.columns import is_known


def events_of(row: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The events of a user or session, each with what else its object says; else the object.

    `{"session": 1, "events": [{"aid": 5, "ts": 9}, ...]}` names a user, but no item and no time,
    and has one list of objects, which name one of these. What both say is the event's.
    """
    lists = [name for name, value in row.items() if _holds_objects(value)]
    if len(lists) != 1:
        return (row,)
    [events] = lists
    own = {name: value for name, value in row.items() if name != events}
    of_user = any(is_known(name, "user") for name in own)
    if not of_user or _names_an_event(own) or not all(map(_names_an_event, row[events])):
        return (row,)
    return [{**own, **event} for event in row[events]]


def _holds_objects(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) for one in value)


def _names_an_event(row: Mapping[str, Any]) -> bool:
    return any(is_known(name, "item_id", "time") for name in row)
