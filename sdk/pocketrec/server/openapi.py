"""The parts of the OpenAPI document that the routes' signatures do not say."""

from typing import Any

from pocketrec.wire import ERROR_CODES, MAX_CANDIDATES, MAX_K, MAX_TIMEOUT_MS, TIMEOUT_HEADER

# An id has at most 512 bytes; JSON Schema counts characters, of which 128 always fit.
_ID = {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[^\\x00]+$"}
_HISTORY = {
    "type": "array",
    "items": _ID,
    "description": "Item ids, oldest first; unknown ones are skipped.",
}
_UNIQUE = {"type": "array", "items": _ID, "uniqueItems": True}
_SCORED = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"id": {"type": "string"}, "score": {"type": "number"}},
        "required": ["id", "score"],
    },
}
_SOURCE = {"type": "string", "enum": ["model", "popularity"]}

RECOMMEND = {
    "type": "object",
    "properties": {
        "history": _HISTORY,
        "k": {"type": "integer", "minimum": 1, "maximum": MAX_K},
        "deny": _UNIQUE,
    },
    "required": ["history", "k"],
    "additionalProperties": False,
}
SCORE = {
    "type": "object",
    "properties": {
        "history": _HISTORY,
        "candidates": {**_UNIQUE, "minItems": 1, "maxItems": MAX_CANDIDATES},
    },
    "required": ["history", "candidates"],
    "additionalProperties": False,
}
_TIMEOUT = {
    "name": TIMEOUT_HEADER,
    "in": "header",
    "required": False,
    "description": "Milliseconds left of the caller's deadline.",
    "schema": {"type": "integer", "minimum": 1, "maximum": MAX_TIMEOUT_MS},
}
_ERROR = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
            "required": ["code", "message"],
        }
    },
    "required": ["error"],
}
TOKEN = {"type": "http", "scheme": "bearer"}


def answered(**properties: Any) -> dict[str, Any]:
    """The schema of an object that has these properties."""
    return {"type": "object", "properties": properties, "required": sorted(properties)}


RECOMMENDED = answered(model={"type": "string"}, source=_SOURCE, items=_SCORED)
SCORED = answered(model={"type": "string"}, source=_SOURCE, scores=_SCORED)
ITEMS = answered(
    model={"type": "string"},
    total={"type": "integer"},
    next={"type": ["integer", "null"]},
    items={
        "type": "array",
        "items": answered(id={"type": "string"}, columns={"type": "object"}),
    },
)
STATE = answered(status={"type": "string"})


def responses(schema: dict[str, Any]) -> dict[int | str, dict[str, Any]]:
    """What a path may answer: its own schema, and every error."""
    found: dict[int | str, dict[str, Any]] = {200: _response("An answer.", schema)}
    return found | {
        status: _response(code.replace("_", " "), _ERROR) for status, code in ERROR_CODES.items()
    }


def operation(body: dict[str, Any] | None = None, *, guarded: bool = True) -> dict[str, Any]:
    """What is added to a path: its body, and the timeout header."""
    extra: dict[str, Any] = {"parameters": [_TIMEOUT]} if guarded else {}
    if body is not None:
        extra["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    return extra


def _response(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}
