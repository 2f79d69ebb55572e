"""`pocketrec bench run --replicate`: the same run again, each in a process of its own.

What one process happens to get (addresses, huge pages, which core) stays with it for its whole
life, so runs in one process agree better than they should.
"""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pocketrec.cli.output import say

if TYPE_CHECKING:
    from pocketrec_bench.results import Result

#: Set anew for each process.
_OWN = frozenset({"replicate", "out", "as_json", "target_qps"})


def run_replicates(context: click.Context, count: int, out: Path | None) -> list["Result"]:
    """Results of `count` processes with the options of this command, one after another.

    Arrivals of the server scenario are those of the first replicate in all of them.

    Args:
        context: Of `bench run`.
        count: How many.
        out: Folder for a folder `run-N` of each; None for none.

    A process that measures nothing has told why; its exit code becomes that of this one.
    """
    from pocketrec_bench.records import parse
    from pocketrec_bench.results import from_document

    found: list[Result] = []
    for number in range(1, count + 1):
        say(f"replicate {number} of {count}")
        target = found[0].settings.target_qps if found else context.params["target_qps"]
        own: dict[str, object] = {"target_qps": target, "as_json": True}
        own["out"] = None if out is None else out / f"run-{number}"
        done = subprocess.run(  # noqa: S603 - this very program
            [sys.executable, "-m", "pocketrec", "bench", "run", *_words(context, own)],
            stdout=subprocess.PIPE,
            check=False,
        )
        if not done.stdout:
            say(f"replicate {number} measured nothing")
            context.exit(done.returncode)
        found.append(from_document(parse(done.stdout, "replicate"), f"replicate {number}"))
    return found


def _words(context: click.Context, own: Mapping[str, object]) -> list[str]:
    """The command line of one process: what was asked for, and what is its own."""
    values: dict[str, Any] = {n: v for n, v in context.params.items() if n not in _OWN} | {**own}
    words: list[str] = []
    positional: list[str] = []
    for parameter in context.command.params:
        value = values.get(parameter.name or "")
        if value is None or value is False:
            continue
        if isinstance(parameter, click.Argument):
            positional.append(str(value))
        else:
            words += [parameter.opts[0]] if value is True else [parameter.opts[0], str(value)]
    return [*words, "--", *positional]
