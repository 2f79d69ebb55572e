"""Checks of settings: the last value let through, the first refused, and what is said of it."""

from dataclasses import dataclass

import pytest

from pocketrec_distill import checks
from pocketrec_distill.errors import ConfigError


@dataclass(frozen=True)
class Settings:
    """Two numbers and a word; the second number and the word are looked at last."""

    first: float = 0.5
    second: float = 0.5
    word: str = "a"


@pytest.mark.parametrize(
    ("check", "good", "bad", "told"),
    [
        (checks.positive, (1e-9, 7), (0, -1), "give a finite number above 0"),
        (checks.not_negative, (0, 7), (-1e-9,), "give a finite number of at least 0"),
        (checks.share, (0, 1), (-1e-9, 1.1), "give 0 to 1"),
        (checks.below_one, (0, 0.99), (-1e-9, 1), "give at least 0, below 1"),
    ],
)
def test_bounds(check, good: tuple, bad: tuple, told: str) -> None:
    for value in good:
        check("a", Settings(second=value), "first", "second")
    for value in (*bad, float("nan"), float("inf")):
        with pytest.raises(ConfigError) as caught:
            check("a", Settings(second=value), "first", "second")
        assert str(caught.value) == f"[a] second is {value}; {told}"


def test_a_least_value() -> None:
    checks.at_least("a", Settings(2, 3), 2, "first", "second")
    for value in (1, float("nan"), float("inf")):
        with pytest.raises(ConfigError, match=rf"^\[a\] second is {value}; give at least 2$"):
            checks.at_least("a", Settings(2, value), 2, "first", "second")


def test_a_choice() -> None:
    checks.one_of("a", Settings(word="b"), ("a", "b"), "word")
    with pytest.raises(ConfigError, match=r"^\[a\] word is 'c'; choose one of a, b$"):
        checks.one_of("a", Settings(word="c"), ("a", "b"), "word")


def test_settings_of_no_section() -> None:
    with pytest.raises(ConfigError, match=r"^first is -1; give 0 to 1$"):
        checks.share("", Settings(first=-1), "first")
