"""`pocketrec shell`: record events and see what is recommended, line by line."""

import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import click

from pocketrec.cli.exits import ExitCode
from pocketrec.cli.options import OUTPUT_PATH, bundle_argument, delta_option
from pocketrec.recommender import Recommender


@click.command("shell", short_help="Record events and ask for answers, line by line.")
@bundle_argument()
@delta_option
@click.option(
    "--store",
    type=OUTPUT_PATH,
    help="Folder of the events; without it they are gone at the end.",
)
@click.option("--user", default="you", show_default=True, help="The user to start as.")
@click.pass_context
def command(
    ctx: click.Context, bundle: Path, deltas: tuple[Path, ...], store: Path | None, user: str
) -> None:
    """Open BUNDLE and take commands, one a line: record, recommend, score, explain and others.

    `help` lists them. From a pipe no prompt is printed, and the exit code is 2 where a line was
    refused.
    """
    from pocketrec.cli.shell import Shell

    with ExitStack() as stack:
        folder = store or stack.enter_context(tempfile.TemporaryDirectory(prefix="pocketrec-"))
        recommender = stack.enter_context(Recommender.open(bundle, store=folder, deltas=deltas))
        shell = Shell(recommender, user, sys.stdin, interactive=sys.stdin.isatty())
        shell.cmdloop()
    if shell.refused and not shell.interactive:
        ctx.exit(ExitCode.USAGE)
