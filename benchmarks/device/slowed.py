"""A deliberately slowed build: a copy of this checkout whose top-k waits before it scans."""

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("runtime", "distill", "sdk", "benchmarks")
_CALL = "        found = self._scan.top_k(vector, k, exclude=exclude, allow=allow)\n"
_WAIT = """        import time

        until = time.perf_counter() + {seconds!r}
        while time.perf_counter() < until:
            pass
"""


def slowed_copy(target: Path, seconds: float) -> None:
    """Copies the packages to a folder, with a busy wait of `seconds` in `Engine.top_k`.

    Raises:
        ValueError: `Engine.top_k` is not what this script knows.
    """
    for folder in FOLDERS:
        shutil.copytree(
            ROOT / folder, target / folder, ignore=shutil.ignore_patterns("__pycache__", "results")
        )
    engine = target / "runtime" / "pocketrec_runtime" / "engine.py"
    text = engine.read_text(encoding="utf-8")
    if text.count(_CALL) != 1:
        raise ValueError(f"{engine} has {text.count(_CALL)} times the call that is to be slowed")
    engine.write_text(text.replace(_CALL, _WAIT.format(seconds=seconds) + _CALL), encoding="utf-8")


def python_path(root: Path) -> str:
    """PYTHONPATH of a checkout or a copy."""
    return ":".join(str(root / folder) for folder in FOLDERS)
