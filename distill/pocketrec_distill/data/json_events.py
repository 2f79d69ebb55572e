"""JSON objects of users that hold their events in a list: one object per event."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from pocketrec_distill.data.columns import known_names, plain_name

# Objects of a file have the same few names.
_CACHED_NAMES = 256


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
    if not any(map(_is_user, own)) or any(map(_is_of_event, own)):
        return (row,)
    if not all(any(map(_is_of_event, event)) for event in row[events]):
        return (row,)
    return [{**own, **event} for event in row[events]]


def _holds_objects(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) for one in value)


@lru_cache(_CACHED_NAMES)
def _is_user(name: str) -> bool:
    return plain_name(name) in known_names("user")


@lru_cache(_CACHED_NAMES)
def _is_of_event(name: str) -> bool:
    return plain_name(name) in (*known_names("item_id"), *known_names("time"))
