"""Where files that can be made again are kept."""

import os
from pathlib import Path


def cache_directory() -> Path:
    """`$POCKETREC_CACHE`, or `pocketrec` in the user's cache folder. Not made by this call."""
    if chosen := os.environ.get("POCKETREC_CACHE"):
        return Path(chosen).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "pocketrec"
