"""Keeps the settings in docs/configuration.md equal to the dataclasses that hold them.

python scripts/config_docs.py          exit code 1 where the page is out of date
python scripts/config_docs.py --write  regenerate it
"""

import dataclasses
import inspect
import re
import sys
from pathlib import Path

from pocketrec_distill.config import DistillConfig

PAGE = Path(__file__).resolve().parents[1] / "docs" / "configuration.md"
_MARK = "<!-- settings: made by scripts/config_docs.py -->\n"
_FIELD = re.compile(r"^(\w+): (.+)$")


def described(kind: type) -> dict[str, str]:
    """Setting -> what its docstring says, in one line."""
    text = inspect.getdoc(kind) or ""
    found: dict[str, str] = {}
    name = ""
    for line in text.partition("Attributes:")[2].splitlines():
        start = _FIELD.match(line.strip()) if line.startswith("    ") else None
        if start and not line.startswith("        "):
            name, found[start[1]] = start[1], start[2]
        elif name and line.strip():
            found[name] += " " + line.strip()
    return found


def section(name: str, kind: type) -> str:
    """One TOML section as a table of setting, default and meaning."""
    summary = (inspect.getdoc(kind) or "").splitlines()[0]
    meaning = described(kind)
    lines = [f"## `[{name}]`", "", summary, "", "| Setting | Default | What it is |"]
    lines.append("| --- | --- | --- |")
    defaults = kind()
    for part in dataclasses.fields(kind):
        value = getattr(defaults, part.name)
        shown = str(value).lower() if isinstance(value, bool) else repr(value).replace("'", '"')
        lines.append(f"| `{part.name}` | `{shown}` | {meaning[part.name]} |")
    return "\n".join(lines) + "\n"


def render(page: str) -> str:
    """The page with everything after the mark made anew."""
    head, mark, _ = page.partition(_MARK)
    parts = [
        section(part.name, type(getattr(DistillConfig(), part.name)))
        for part in dataclasses.fields(DistillConfig)
    ]
    return head + mark + "\n" + "\n".join(parts)


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
