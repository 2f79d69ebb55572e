"""Where obtained files are kept."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pocketrec_runtime.storage import cache_directory

__all__ = ["cache_directory", "writing"]


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Writing below `folder` of the cache; what the disk refuses is said with the next step.

    Raises:
        OSError: Of the same kind: the disk is full, or access denied.
    """
    try:
        yield
    except OSError as error:
        if error.errno is None:  # of our own making, and says what is wrong already
            raise
        advice = "free some space, or set POCKETREC_CACHE to a folder that can be written"
        raise OSError(error.errno, f"{error.strerror}; {advice}", str(folder)) from error
