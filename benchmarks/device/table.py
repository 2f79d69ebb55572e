"""The rows of benchmarks/results as a table of benchmarks/README.md, each with its command.

python benchmarks/device/table.py          exit code 1 where the page is out of date
python benchmarks/device/table.py --write  makes it anew
"""

import sys
from pathlib import Path
from statistics import median

from pocketrec_bench.card import Card, repeat_command
from pocketrec_bench.ledger import read_ledger
from pocketrec_bench.replicates import agreement

FOLDER = Path(__file__).resolve().parents[1]
PAGE = FOLDER / "README.md"
OPEN, CLOSE = "<!-- results -->\n", "<!-- end results -->\n"


def row(file: str, card: Card) -> str:
    """One card: what it found, on what, and how to find it again."""
    result = card.results[0]
    settings = result.settings
    latency = [run.latency for run in card.results]
    p50, p99 = (
        median(getattr(each, name) for each in latency) * 1e3 for name in ("p50_s", "p99_s")
    )
    apart = f"{agreement(card.results).spread:.1%}" if len(card.results) > 1 else ""
    accuracy = result.accuracy
    quality = "" if accuracy is None else f"{accuracy.metric} {accuracy.value:.4f}"
    cells = (
        file,
        f"{result.subject.name}, {settings.backend} {settings.weights}, {settings.division}",
        f"{p50:.3f}",
        f"{p99:.3f}",
        apart,
        quality,
        f"{result.memory.resident_bytes / 1e6:.0f}",
        f"{card.device.cpu}, {card.device.fingerprint[:8]}",
        card.build.commit[:7],
        f"`{repeat_command(card)}`",
    )
    return "| " + " | ".join(cells) + " |"


def table(folder: Path) -> str:
    """All rows of a folder of results; a sentence where there are none."""
    rows = [row(path.stem, card) for path in sorted(folder.glob("*.jsonl"))
            for card in read_ledger(path)]  # fmt: skip
    if not rows:
        return "No valid run has been recorded yet.\n"
    head = (
        "| file | what | p50 ms | p99 ms | replicates apart | quality | MB | device | commit | "
        "again with |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n"
    )
    return head + "\n".join(rows) + "\n"


def render(page: str, folder: Path) -> str:
    """The page with the table between its marks made anew."""
    before, _, rest = page.partition(OPEN)
    _, _, after = rest.partition(CLOSE)
    return f"{before}{OPEN}\n{table(folder)}\n{CLOSE}{after}"


def main(arguments: list[str]) -> int:
    """Check the page, or write it with `--write`."""
    page = PAGE.read_text(encoding="utf-8")
    fresh = render(page, FOLDER / "results")
    if arguments == ["--write"]:
        PAGE.write_text(fresh, encoding="utf-8", newline="\n")
    elif page != fresh:
        print(f"{PAGE.name} is out of date; run: python benchmarks/device/table.py --write")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
