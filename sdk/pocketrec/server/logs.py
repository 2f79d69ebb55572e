"""Logs as JSON, one object a line; an event names what it says, and never a history."""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import TextIO

LOGGER = logging.getLogger("pocketrec.server")


class JsonLines(logging.Formatter):
    """A record's message, and its `fields` where it has some, as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record. Of an exception: its kind and where it was raised, no values."""
        values: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[1] is not None:
            values |= where(record.exc_info[1])
        return json.dumps(values)


def where(error: BaseException) -> dict[str, object]:
    """Kind and place of an exception; its message may hold what somebody sent."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else ""
    return {"error": type(error).__name__, "at": place}


def event(name: str, level: int = logging.INFO, **fields: object) -> None:
    """Log one event."""
    LOGGER.log(level, name, extra={"fields": fields})


def log_to(stream: TextIO | None = None, level: int = logging.INFO) -> None:
    """Send the server's and uvicorn's records to a stream, stderr by default."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    for logger, least in ((LOGGER, level), (logging.getLogger("uvicorn.error"), logging.WARNING)):
        logger.handlers = [handler]
        logger.setLevel(least)
        logger.propagate = False
