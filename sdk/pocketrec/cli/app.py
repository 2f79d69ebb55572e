"""The command group, and `main`, which turns every outcome into one documented exit code."""

import importlib
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import click

from pocketrec import __version__
from pocketrec.cli.exits import ExitCode, StdoutClosedError, exit_code
from pocketrec.cli.output import prepare_streams, printable, say, silence_stdout
from pocketrec_runtime.errors import InputError


@dataclass
class Invocation:
    """What the group's own options said, for the error handler outside of click."""

    debug: bool = False


def _set_debug(ctx: click.Context, param: click.Parameter, value: bool) -> None:  # noqa: ARG001
    if value and isinstance(ctx.obj, Invocation):
        ctx.obj.debug = True


#: Taken before and after the command's name: it is most often added to a line that just failed.
_DEBUG = click.Option(
    ["--debug"], is_flag=True, hidden=True, is_eager=True, expose_value=False, callback=_set_debug
)


class LazyGroup(click.Group):
    """A group that imports a command's module when that command is asked for."""

    #: In the order of use, which is the order of the help text.
    COMMANDS: ClassVar[tuple[str, ...]] = (
        "demo",
        "distill",
        "update",
        "recommend",
        "score",
        "explain",
        "shell",
        "events",
        "evaluate",
        "inspect",
        "verify",
        "diff",
        "tune",
        "export-ort",
        "bench",
        "serve",
        "doctor",
        "completion",
    )

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Names of the commands, in the order of use."""
        return list(self.COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command of that name, its module imported; None where there is none."""
        if cmd_name not in self.COMMANDS:
            return None
        module = importlib.import_module(f"pocketrec.cli.commands.{cmd_name.replace('-', '_')}")
        command = module.command
        if not isinstance(command, click.Command):
            raise TypeError(f"{module.__name__}.command is not a click command")
        if _DEBUG not in command.params:
            command.params.append(_DEBUG)
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; a reader of stdout that went away is told apart from other failures."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            # click would swallow it and end with 1.
            raise StdoutClosedError from error


@click.command(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 88},
)
@click.version_option(__version__, prog_name="pocketrec")
@click.option(
    "--debug",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_set_debug,
    help="Show the traceback of an error.",
)
def app() -> None:
    """Compress an LLM recommender into a bundle that ranks on the user's own device.

    Answers go to stdout, talk goes to stderr. Exit codes: 0 done, 1 unexpected error, 2 usage or
    bad input, 3 bundle refused, 4 missing extra, 5 data refused, 6 file system, 7 gate failed, or
    benchmark not valid or slower, 8 comparison undecided, 130 interrupted.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: What follows `pocketrec`; the process's own arguments where None.

    Returns:
        The exit code, see `ExitCode`.
    """
    prepare_streams()
    given = sys.argv[1:] if arguments is None else list(arguments)
    invocation = Invocation()
    try:
        _refuse_surrogates(given)
        result = app.main(given, prog_name="pocketrec", standalone_mode=False, obj=invocation)
        sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the one place that ends all
        return _report(error, invocation)
    return result if isinstance(result, int) else ExitCode.OK


def _refuse_surrogates(arguments: Sequence[str]) -> None:
    """Bytes of the command line that are not text reach Python as lone surrogates."""
    for position, argument in enumerate(arguments, start=1):
        try:
            argument.encode("utf-8")
        except UnicodeEncodeError as error:
            raise InputError(
                f"argument {position}, {argument!a}, is not text in the encoding of this "
                "terminal; give it as UTF-8 (ids can also come from a file: --history - < FILE)"
            ) from error


def _report(error: BaseException, invocation: Invocation) -> ExitCode:
    code = exit_code(error)
    if code == ExitCode.BROKEN_PIPE:
        silence_stdout()
        return code
    try:
        sys.stdout.flush()
    except OSError:
        # A full disk: Python would try once more at its end, and end with a code of its own.
        silence_stdout()
    if invocation.debug:
        traceback.print_exception(error)
    if isinstance(error, click.ClickException):
        error.show()
    elif code == ExitCode.INTERRUPTED:
        say("Interrupted.")
    elif code == ExitCode.UNEXPECTED:
        say(f"Error: unexpected {type(error).__name__}: {_message(error)}")
        if not invocation.debug:
            say("This may be a fault in pocketrec; rerun with --debug for the traceback.")
    else:
        say(f"Error: {_message(error)}")
    return code


def _message(error: BaseException) -> str:
    return "\n".join(printable(line) for line in str(error).splitlines()) or type(error).__name__
