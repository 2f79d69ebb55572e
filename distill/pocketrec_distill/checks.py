"""Checks of settings, in one wording: which setting, its value, and what to give instead.

Each takes the section's name ("" where there is none), the settings, and the names to look at, and
raises ConfigError of the first that is out of bounds. NaN and infinity are out of all of them.
"""

import math
from collections.abc import Callable, Sequence

from pocketrec_distill.errors import ConfigError


def positive(section: str, settings: object, *names: str) -> None:
    """Refuse what is not above 0 and finite."""
    _hold(section, settings, names, lambda value: 0 < value < math.inf, "a finite number above 0")


def not_negative(section: str, settings: object, *names: str) -> None:
    """Refuse what is below 0 or infinite."""
    wanted = "a finite number of at least 0"
    _hold(section, settings, names, lambda value: 0 <= value < math.inf, wanted)


def at_least(section: str, settings: object, least: float, *names: str) -> None:
    """Refuse what is below `least` or infinite."""
    _hold(section, settings, names, lambda value: least <= value < math.inf, f"at least {least}")


def share(section: str, settings: object, *names: str) -> None:
    """Refuse what is no share of a whole."""
    _hold(section, settings, names, lambda value: 0 <= value <= 1, "0 to 1")


def below_one(section: str, settings: object, *names: str) -> None:
    """Refuse what is below 0, or 1 and more."""
    _hold(section, settings, names, lambda value: 0 <= value < 1, "at least 0, below 1")


def one_of(section: str, settings: object, choices: Sequence[str], *names: str) -> None:
    """Refuse what is none of `choices`."""
    for name in names:
        value = getattr(settings, name)
        if value not in choices:
            raise ConfigError(
                f"{_named(section, name)} is {value!r}; choose one of {', '.join(choices)}"
            )


def _hold(
    section: str,
    settings: object,
    names: Sequence[str],
    fits: Callable[[float], bool],
    wanted: str,
) -> None:
    for name in names:
        value = getattr(settings, name)
        if not fits(value):
            raise ConfigError(f"{_named(section, name)} is {value}; give {wanted}")


def _named(section: str, name: str) -> str:
    return f"[{section}] {name}" if section else name
