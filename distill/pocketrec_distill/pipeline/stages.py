"""A run directory of finished stages, each keyed by the hash of its inputs and settings."""

import hashlib
import json
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pocketrec_distill.version import VERSION
from pocketrec_runtime.memory import peak_memory_bytes, reset_peak_memory

_DONE = "stage.json"
_WAIT_S = 0.1


def digest_of(values: Mapping[str, Any]) -> str:
    """SHA-256, 16 hexadecimal digits, of plain values in canonical form."""
    text = json.dumps(values, sort_keys=True, ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def write_json(path: Path, value: object) -> None:
    """Keep a plain value as one line."""
    path.write_text(json.dumps(value) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """The value that `write_json` kept."""
    return json.loads(path.read_text(encoding="utf-8"))


@dataclass
class RunDirectory:
    """Where stages keep their results; a finished stage is never computed twice.

    Attributes:
        root: The directory; made when missing.
        say: Called with one line per stage, for people.
        seconds: Wall time of each stage, as measured when it ran, without that of stages made
            inside it: the sum is that of the run.
        peak_memory: Highest resident memory of each stage in bytes, as measured when it ran.
        follows: Whether another process leads: its stages are waited for, and only those made
            together are taken part in.
    """

    root: Path
    say: Callable[[str], None]
    seconds: dict[str, float] = field(default_factory=dict)
    peak_memory: dict[str, int] = field(default_factory=dict)
    follows: bool = False
    _inside: float = field(default=0.0, init=False)

    def stage(
        self,
        name: str,
        key: Mapping[str, Any],
        make: Callable[[Path], None],
        *,
        together: bool = False,
    ) -> Path:
        """Folder of a stage's files, made by `make(folder)` unless it is finished already.

        The folder appears under its final name only when `make` has returned: a stopped run
        leaves nothing that a later one could mistake for a result.

        Args:
            name: The stage's name.
            key: Everything that its result depends on, as plain values.
            make: Writes the stage's files into an empty folder.
            together: Whether all processes of a data-parallel run make it, each its share.
        """
        target = self.root / f"{name}-{digest_of({**key, 'version': VERSION})}"
        if self.follows:
            return _followed(target, make if together else None)
        if (costs := _finished(target)) is not None:
            self.say(f"{name}: kept from an earlier run")
        else:
            costs = self._make(name, target, make)
            self.say(
                f"{name}: {costs['seconds']:.1f} s, peak memory "
                f"{costs['peak_memory_bytes'] / 1e9:.2f} GB"
            )
        self.seconds[name] = costs["seconds"]
        self.peak_memory[name] = costs["peak_memory_bytes"]
        return target

    def value(self, name: str, key: Mapping[str, Any], file: str, make: Callable[[], Any]) -> Any:
        """The one plain value of a stage, as JSON gives it back: a tuple is a list.

        Args:
            name: The stage's name.
            key: See `stage`.
            file: Name of the file that keeps it.
            make: Makes it, unless the stage is finished already.
        """
        folder = self.stage(name, key, lambda folder: write_json(folder / file, make()))
        return read_json(folder / file)

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Time and memory of a stage that is run every time and keeps no files."""
        reset_peak_memory()
        with self._clock() as own:
            yield
        self.seconds[name] = own()
        self.peak_memory[name] = peak_memory_bytes()
        self.say(f"{name}: {self.seconds[name]:.1f} s")

    @contextmanager
    def _clock(self) -> Iterator[Callable[[], float]]:
        """Seconds of the context, once it has ended, without those of clocks inside it."""
        outside, self._inside, seconds = self._inside, 0.0, 0.0
        started = time.perf_counter()
        try:
            yield lambda: seconds
        finally:
            whole = time.perf_counter() - started
            seconds, self._inside = whole - self._inside, outside + whole

    def _make(self, name: str, target: Path, make: Callable[[Path], None]) -> dict[str, Any]:
        self._clear_abandoned()
        temporary = self.root / f".{target.name}{_temporary_mark()}{os.getpid()}"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        reset_peak_memory()
        try:
            with self._clock() as own:
                make(temporary)
            costs = {
                "stage": name,
                "seconds": own(),
                "peak_memory_bytes": peak_memory_bytes(),
            }
            write_json(temporary / _DONE, costs)
            self._publish(temporary, target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return costs

    def _publish(self, temporary: Path, target: Path) -> None:
        """Give a whole folder its final name, unless another run was first with the same stage."""
        try:
            temporary.replace(target)
        except OSError:
            if not (target / _DONE).is_file():
                raise

    def _clear_abandoned(self) -> None:
        """Remove what killed runs of this machine left half-made."""
        for folder in self.root.glob(f".*{_temporary_mark()}*"):
            process = folder.name.rpartition("-")[2]
            if process.isdigit() and not _is_running(int(process)):
                shutil.rmtree(folder, ignore_errors=True)


def _followed(target: Path, make: Callable[[Path], None] | None) -> Path:
    """The leading process's stage once it is there; `make` takes part in it."""
    if make is not None and not (target / _DONE).is_file():
        with tempfile.TemporaryDirectory(prefix="pocketrec-") as folder:
            make(Path(folder))
    # Where the leading process fails, torchrun ends this one.
    while not (target / _DONE).is_file():
        time.sleep(_WAIT_S)
    return target


def _finished(target: Path) -> dict[str, Any] | None:
    """What a finished stage cost; None where it is missing, or was cut off by a power failure."""
    try:
        costs = read_json(target / _DONE)
    except (FileNotFoundError, ValueError):
        shutil.rmtree(target, ignore_errors=True)
        return None
    return costs if isinstance(costs, dict) else None


def _temporary_mark() -> str:
    """What stands between a temporary folder's stage and its process: this machine's own mark."""
    return f".tmp-{hashlib.sha256(platform.node().encode()).hexdigest()[:8]}-"


def _is_running(process: int) -> bool:
    """Whether a process may still be at work; True where that cannot be known."""
    if os.name != "posix":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
