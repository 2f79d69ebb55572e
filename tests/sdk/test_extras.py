"""Extras are read from the metadata, as pip wrote it."""

import sys

import pytest

from pocketrec.cli import extras
from pocketrec.cli.extras import Requirement, parse_requirement
from pocketrec_runtime.errors import MissingExtraError

THIS = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("click>=8.1", ("click", "click>=8.1", None)),
        ("transformers<4.58,>=4.57; extra == 'distill'",
         ("transformers", "transformers<4.58,>=4.57", "distill")),
        (f"x; python_version < '{THIS}' and extra == 'bench'", None),
        (f"x; (python_version <= \"{THIS}\") and extra == \"bench\"", ("x", "x", "bench")),
        ("no-such-package-here[a,b]>=1; extra == 'all'",
         ("no-such-package-here", "no-such-package-here[a,b]>=1", "all")),
    ],
)  # fmt: skip
def test_a_requirement_is_parsed(line, expected) -> None:
    found = parse_requirement(line)
    assert (found and (found.name, found.wanted, found.extra)) == expected


def test_what_is_installed_is_found() -> None:
    click, ghost = parse_requirement("click"), parse_requirement("no-such-package-here")
    assert click is not None
    assert ghost is not None
    assert click.installed is not None
    assert ghost.installed is None


def test_the_metadata_names_base_packages_and_extras() -> None:
    found = {(requirement.name, requirement.extra) for requirement in extras.requirements()}
    assert {("numpy", None), ("torch", "distill"), ("fastapi", "server")} <= found


def test_a_missing_extra_names_the_pip_command(monkeypatch) -> None:
    ghost = Requirement("ghost", "ghost>=1", "distill", None)
    monkeypatch.setattr(extras, "requirements", lambda: [ghost])
    with pytest.raises(MissingExtraError, match=r'pip install "pocketrec\[distill\]"'):
        extras.require_extra("distill")
    extras.require_extra("server")


@pytest.mark.parametrize(
    "arguments",
    [
        ("demo",),
        ("distill", "--interactions", __file__, "--out", "x"),
        ("evaluate", "nowhere", "--interactions", __file__),
    ],
)
def test_commands_that_train_or_read_tables_ask_first(cli, monkeypatch, arguments) -> None:
    ghost = Requirement("ghost", "ghost>=1", "distill", None)
    monkeypatch.setattr(extras, "requirements", lambda: [ghost])
    outcome = cli(*arguments)
    assert outcome.code == 4
    assert outcome.err == 'Error: ghost is not installed; run: pip install "pocketrec[distill]"\n'
