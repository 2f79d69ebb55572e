"""Where facts of a machine come from: files and commands, or their texts in a test."""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

_MAX_BYTES = 1 << 22
_TIMEOUT_S = 5.0


class Source(Protocol):
    """One machine, read only."""

    def text(self, path: str) -> str | None:
        """The text of a file; None where it cannot be read."""

    def names(self, path: str) -> list[str]:
        """Sorted names in a folder; none where it cannot be read."""

    def output(self, command: Sequence[str]) -> str | None:
        """What a command prints; None where it is not there or fails."""


class ThisMachine:
    """The machine that this process runs on."""

    def text(self, path: str) -> str | None:
        """The text of a file, at most 4 MB; None where it cannot be read."""
        try:
            with Path(path).open("rb") as file:
                return file.read(_MAX_BYTES).decode("utf-8", "replace")
        except OSError:
            return None

    def names(self, path: str) -> list[str]:
        """Sorted names in a folder; none where it cannot be read."""
        try:
            return sorted(entry.name for entry in Path(path).iterdir())
        except OSError:
            return []

    def output(self, command: Sequence[str]) -> str | None:
        """What a command prints within 5 s; None where it is not there or fails."""
        try:
            done = subprocess.run(  # noqa: S603 - fixed commands of macos.py, no shell
                list(command), capture_output=True, timeout=_TIMEOUT_S, check=True
            )
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.decode("utf-8", "replace")


@dataclass(frozen=True)
class Recorded:
    """A machine as texts: what a file holds by its path, what a command prints by its words."""

    files: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)

    def text(self, path: str) -> str | None:
        """The recorded text of a file."""
        return self.files.get(path)

    def names(self, path: str) -> list[str]:
        """Names below a folder that recorded paths name."""
        prefix = path.rstrip("/") + "/"
        below = (name.removeprefix(prefix) for name in self.files if name.startswith(prefix))
        return sorted({name.split("/")[0] for name in below})

    def output(self, command: Sequence[str]) -> str | None:
        """The recorded output of a command."""
        return self.outputs.get(" ".join(command))
