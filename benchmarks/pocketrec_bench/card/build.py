"""Which pocketrec this is: its version, and the commit of its checkout."""

import subprocess
from importlib import metadata
from pathlib import Path

from pocketrec_bench.card.document import Build

_SECONDS = 10.0


def this_build(folder: Path | None = None) -> Build:
    """The build that runs here.

    Args:
        folder: A folder of its checkout; None is where this package lies.
    """
    try:
        version = metadata.version("pocketrec")
    except metadata.PackageNotFoundError:
        version = "unknown"
    where = Path(__file__).resolve().parent if folder is None else folder
    return Build(version, _commit(where))


def _commit(folder: Path) -> str:
    """The commit; "unknown" where git does not know this folder's files.

    An environment inside of somebody's checkout is not part of it: what git ignores there has the
    commit of another project.
    """
    try:
        if not _git(folder, "ls-files", "--", "."):
            return "unknown"
        head = _git(folder, "rev-parse", "HEAD")
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return f"{head}-dirty" if changed else head


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(  # noqa: S603 - fixed words, no shell
        ["git", "-C", str(folder), *arguments],  # noqa: S607 - whichever git the developer uses
        capture_output=True,
        text=True,
        check=True,
        timeout=_SECONDS,
    )
    return done.stdout.strip()
