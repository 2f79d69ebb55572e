"""Exit codes of the command line, and which error ends with which."""

import sys
from enum import IntEnum

import click

from pocketrec.errors import EventStoreError, EventStoreKeyError, EventStoreVersionError
from pocketrec_runtime.errors import BundleError, InputError, MissingExtraError, StateError


class ExitCode(IntEnum):
    """What a finished process says; `docs/cli.md` describes each for users."""

    OK = 0
    UNEXPECTED = 1
    USAGE = 2
    BUNDLE = 3
    EXTRA = 4
    DATA = 5
    FILES = 6
    QUALITY = 7  # the student did not pass its gate, or a benchmark's result is not valid
    UNDECIDED = 8  # noise does not let a comparison be decided
    INTERRUPTED = 130  # 128 + SIGINT, as shells report it
    BROKEN_PIPE = 141  # 128 + SIGPIPE: the reader of stdout went away


class StdoutClosedError(Exception):
    """Whoever read stdout went away, as `head` does when it has seen enough."""


def exit_code(error: BaseException) -> ExitCode:
    """The exit code for an error; UNEXPECTED where nothing more exact is known."""
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return ExitCode.INTERRUPTED
    if isinstance(error, StdoutClosedError | BrokenPipeError):
        return ExitCode.BROKEN_PIPE
    if type(error) is BundleError and isinstance(error.__cause__, OSError):
        return ExitCode.FILES  # the bundle is not to blame: the disk is full, or access denied
    for kinds, code in (
        (MissingExtraError, ExitCode.EXTRA),
        (BundleError, ExitCode.BUNDLE),
        (_data_errors(), ExitCode.DATA),
        (EventStoreVersionError, ExitCode.DATA),
        (_bench_errors("ResultFormatError", "NotComparableError"), ExitCode.DATA),
        (_bench_errors("QualityError", "InvalidRunError"), ExitCode.QUALITY),
        ((InputError, StateError, EventStoreKeyError, click.ClickException), ExitCode.USAGE),
        ((OSError, EventStoreError), ExitCode.FILES),
    ):
        if isinstance(error, kinds):
            return code
    return ExitCode.UNEXPECTED


def _data_errors() -> tuple[type[Exception], ...]:
    # Only a command that imported distill code can have raised one; nothing is imported here,
    # because an error must be reportable whatever is wrong with the installation.
    errors = sys.modules.get("pocketrec_distill.errors")
    if errors is None:
        return ()
    return (
        errors.ConfigError,
        errors.DataError,
        errors.NotRecoverableError,
        errors.SourceError,
    )


def _bench_errors(*names: str) -> tuple[type[Exception], ...]:
    errors = sys.modules.get("pocketrec_bench.errors")
    return () if errors is None else tuple(getattr(errors, name) for name in names)
