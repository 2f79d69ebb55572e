"""`--rules`: a file of rules, and what of it has no effect here."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from pocketrec.cli.output import say
from pocketrec.cli.ranking import listed
from pocketrec_runtime import Catalogue, Rules
from pocketrec_runtime.rules import bind

_Function = TypeVar("_Function", bound=Callable[..., object])


def rules_option(function: _Function) -> _Function:
    """`--rules`: a TOML or JSON file, as docs/rules.md describes."""
    return click.option(
        "--rules",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Deny lists, pins, boosts, caps, quotas, diversity and calibration, from a TOML or "
        "JSON file.",
    )(function)


def tell_idle_rules(rules: Rules, catalogue: Catalogue) -> None:
    """Say which ids the catalogue does not hold, and that no showing is on record here."""
    unknown = bind(rules, catalogue).unknown
    if unknown:
        say(f"rules name items not in the catalogue: {listed(unknown)}")
    if rules.exposure is not None:
        say("the exposure limit has no effect here: the command line keeps no record of showings")
