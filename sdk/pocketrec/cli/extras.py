"""Which optional packages are installed, read from the distribution's own metadata."""

import operator
import re
import sys
from dataclasses import dataclass
from importlib import metadata

from pocketrec_runtime.errors import MissingExtraError

DISTRIBUTION = "pocketrec"
_REQUIREMENT = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)")
_EXTRA = re.compile(r"""extra\s*==\s*['"](?P<extra>[A-Za-z0-9._-]+)['"]""")
_PYTHON = re.compile(
    r"""python_version\s*(?P<sign><=|>=|==|!=|<|>)\s*['"](?P<version>[0-9.]+)['"]"""
)
_SIGNS = {
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    ">": operator.gt,
}


@dataclass(frozen=True)
class Requirement:
    """One package that pocketrec can use.

    Attributes:
        name: Its distribution name.
        wanted: The requirement as the metadata says it, without its marker.
        extra: The extra that brings it, None for a base dependency.
        installed: Its installed version, None where it is not installed.
    """

    name: str
    wanted: str
    extra: str | None
    installed: str | None


def requirements() -> list[Requirement]:
    """Every package that pocketrec's metadata names for this Python, but pocketrec itself.

    Empty where pocketrec runs from a source tree that was never installed.
    """
    try:
        lines = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return []
    parsed = [parse_requirement(line) for line in lines]
    return [found for found in parsed if found is not None and found.name != DISTRIBUTION]


def missing(extra: str | None) -> list[str]:
    """Names of the packages of an extra (None: the base) that are not installed."""
    return [r.name for r in requirements() if r.extra == extra and r.installed is None]


def require_extra(extra: str) -> None:
    """Check that an extra is installed, before a command starts work that needs it.

    Raises:
        MissingExtraError: It is not; the message is the pip command.
    """
    names = missing(extra)
    if names:
        raise MissingExtraError(names[0], extra)


def parse_requirement(line: str) -> Requirement | None:
    """A requirement as the metadata writes it, None where it is for another Python."""
    wanted, _, marker = (part.strip() for part in line.partition(";"))
    named = _REQUIREMENT.match(wanted)
    if named is None:
        raise ValueError(f"the metadata of {DISTRIBUTION} holds the requirement {line!r}")
    for python in _PYTHON.finditer(marker):
        version = tuple(int(part) for part in python["version"].split("."))
        if not _SIGNS[python["sign"]](sys.version_info[:2], version):
            return None
    extra = _EXTRA.search(marker)
    return Requirement(
        name=named["name"],
        wanted=wanted,
        extra=extra["extra"] if extra else None,
        installed=_installed(named["name"]),
    )


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
