"""Keeps the help texts in docs/cli.md equal to what the commands print.

python scripts/cli_docs.py          exit code 1 where the page is out of date
python scripts/cli_docs.py --write  regenerate them
"""

import re
import sys
from pathlib import Path

import click

from pocketrec.cli import app

PAGE = Path(__file__).resolve().parents[1] / "docs" / "cli.md"
_BLOCK = re.compile(
    r"(?P<open><!-- help: (?P<name>[a-z -]+?) -->\n).*?(?P<close><!-- end -->)", re.S
)
_WIDTH = 88


def help_text(name: str) -> str:
    """What `NAME --help` prints, `NAME` being "pocketrec" or "pocketrec COMMAND [COMMAND]"."""
    command: click.Command = app
    context = click.Context(
        app, info_name="pocketrec", terminal_width=_WIDTH, **app.context_settings
    )
    for word in name.split()[1:]:
        found = command.get_command(context, word) if isinstance(command, click.Group) else None
        if found is None:
            raise SystemExit(f"{PAGE.name} documents {name!r}, which is not a command")
        command = found
        context = click.Context(found, parent=context, info_name=word, terminal_width=_WIDTH)
    with context:
        return context.get_help()


def render(page: str) -> str:
    """The page with every block between `<!-- help: NAME -->` and `<!-- end -->` made anew."""
    return _BLOCK.sub(
        lambda block: f"{block['open']}```text\n{help_text(block['name'])}\n```\n{block['close']}",
        page,
    )


def documented(page: str) -> list[str]:
    """The commands that the page has a block for, in its order."""
    return [block["name"] for block in _BLOCK.finditer(page)]


def main(arguments: list[str]) -> int:
    """Check the page, or write it with `--write`."""
    page = PAGE.read_text(encoding="utf-8")
    fresh = render(page)
    if arguments == ["--write"]:
        PAGE.write_text(fresh, encoding="utf-8", newline="\n")
    elif page != fresh:
        print(f"{PAGE.name} is out of date; run: make docs", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
