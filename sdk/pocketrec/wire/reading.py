"""Strict JSON in and out, and the checks that requests and answers share."""

from collections.abc import Sequence
from typing import Any

from pocketrec.wire.names import MAX_ID_BYTES, MAX_TEXT_CHARS
from pocketrec_runtime.bundle import strict_json
from pocketrec_runtime.errors import BundleFormatError, InputError, PocketrecError


class WireError(PocketrecError, ValueError):
    """A request or an answer is not what this module describes.

    Attributes:
        status: What a server answers to such a request: 400 where it is no JSON, 413 where it is
            too large, 422 where a value is wrong.
    """

    def __init__(self, message: str, status: int = 422) -> None:
        self.status = status
        super().__init__(message)


def parsed(body: bytes, most: int, name: str) -> Any:
    """The value of a JSON body.

    Raises:
        WireError: It is larger than `most` bytes, or no JSON as `strict_json` reads it.
    """
    if len(body) > most:
        raise WireError(f"{name} is larger than {most} bytes", 413)
    try:
        return strict_json.parse(body, name)
    except BundleFormatError as error:
        raise WireError(str(error)[:MAX_TEXT_CHARS], 400) from error


def as_object(value: object, name: str) -> dict[str, Any]:
    """A JSON object, as a dict.

    Raises:
        WireError: The value is none.
    """
    if not isinstance(value, dict):
        raise WireError(f"{name} is a {type(value).__name__}; it must be an object")
    return value


def check_ids(ids: Sequence[object], name: str, *, unique: bool = False) -> None:
    """Look at every id of a list.

    Raises:
        WireError: As `check_id`; also where ids are to be unique and one is not.
    """
    for place, item_id in enumerate(ids):
        check_id(item_id, f"{name}[{place}]")
    if unique and len(set(ids)) != len(ids):
        raise WireError(f"{name} holds an id twice; give each once")


def check_id(item_id: object, name: str) -> str:
    """An item id as catalogues hold it: text of 1 to MAX_ID_BYTES bytes.

    Raises:
        WireError: It is no text, empty, too long, or holds NUL or a lone surrogate.
    """
    if not isinstance(item_id, str) or not item_id or "\0" in item_id:
        raise WireError(f"{name} is {shown(item_id)}; an id is text without NUL, and not empty")
    try:
        length = len(item_id.encode())
    except UnicodeEncodeError as error:
        raise WireError(f"{name} holds a lone surrogate, which UTF-8 cannot say") from error
    if length > MAX_ID_BYTES:
        raise WireError(f"{name} has {length} bytes; the longest id has {MAX_ID_BYTES}")
    return item_id


def written(values: dict[str, Any], most: int) -> bytes:
    """A message as JSON.

    Raises:
        WireError: It is larger than `most` bytes, or holds what JSON cannot say, as NaN.
    """
    try:
        body = strict_json.dump(values, "message")
    except InputError as error:
        raise WireError(str(error)[:MAX_TEXT_CHARS], 500) from error
    if len(body) > most:
        raise WireError(f"message has {len(body)} bytes, at most {most} are allowed; ask for less")
    return body


def shown(value: object) -> str:
    """A value for a message, short; of a list or an object only its kind, however deep it is."""
    if isinstance(value, list | tuple | dict):
        return f"a {type(value).__name__} of {len(value)}"
    return ascii(value)[:60]
