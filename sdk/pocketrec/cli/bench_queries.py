"""Which queries a benchmark asks, and what full quality is: options that its commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from pocketrec.cli.extras import require_extra
from pocketrec.cli.options import INPUT_PATH

if TYPE_CHECKING:
    from pocketrec_bench.run import FindQueries

_Function = TypeVar("_Function", bound=Callable[..., object])


def query_options(function: _Function) -> _Function:
    """`--interactions`, `--split`, `--config` and `--reference`."""
    options = (
        click.option(
            "--interactions",
            type=INPUT_PATH,
            help="Held-out events of this table or data set are the queries (needs "
            "pocketrec[distill]); otherwise histories are drawn from the bundle's popularity.",
        ),
        click.option(
            "--split",
            type=click.Choice(["leave-one-out", "temporal"]),
            default="leave-one-out",
            show_default=True,
            help="With --interactions: which events are held out.",
        ),
        click.option(
            "--config",
            "config_path",
            type=INPUT_PATH,
            help="With --interactions: TOML file; its [data].",
        ),
        click.option(
            "--reference",
            type=INPUT_PATH,
            help="A bundle of the same catalogue, float32 for example, whose answers are full "
            "quality.  [default: the bundle itself, ranked by brute force]",
        ),
    )
    for option in reversed(options):
        function = option(function)
    return function


def query_finder(
    interactions: Path | None, split: str, config_path: Path | None
) -> "FindQueries | None":
    """What finds the held-out events of the options; None where no events were given.

    Raises:
        MissingExtraError: Events were given, and the extra that reads them is not installed.
        ConfigError: The settings are wrong.
    """
    if interactions is None:
        return None
    require_extra("distill")
    from pocketrec.cli.benching import held_out_finder

    return held_out_finder(interactions, split, config_path)
