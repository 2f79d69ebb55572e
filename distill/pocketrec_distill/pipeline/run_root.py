"""Where a run keeps its stages, and how it speaks."""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def say_on_stderr(line: str) -> None:
    """One line for people, on standard error."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


@contextmanager
def run_root(path: Path | None) -> Iterator[Path]:
    """`path`, or a temporary folder that is removed at the end."""
    if path is not None:
        path.mkdir(parents=True, exist_ok=True)
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="pocketrec-") as folder:
        yield Path(folder)
