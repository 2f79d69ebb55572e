"""Progress bars on standard error for whatever takes over two seconds."""

import sys
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm

# A terminal is redrawn often; a log file gets a line now and then.
_LOG_INTERVAL_S = 15.0
_SHOWN_AFTER_S = 2.0


def progress(
    iterable: Iterable[Any] | None = None, *, label: str, unit: str, total: int | None = None
) -> "tqdm[Any]":
    """A progress bar over `iterable`, or one to `update` by hand up to `total`."""
    interval = 0.1 if sys.stderr.isatty() else _LOG_INTERVAL_S
    return tqdm(
        iterable,
        desc=label,
        unit=unit,
        total=total,
        delay=_SHOWN_AFTER_S,
        mininterval=interval,
        leave=False,
        dynamic_ncols=True,
        file=sys.stderr,
    )
