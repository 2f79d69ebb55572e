"""Appends the cards of runs to a file of results, which only ever grows.

    python benchmarks/device/record.py RUN... --to benchmarks/results/NAME.jsonl

A run is a folder that `pocketrec bench --out` wrote. What is not valid, or was measured from a
build without a commit, is refused. `table.py --write` then puts the rows into benchmarks/README.md.
"""

import argparse
import sys
from pathlib import Path

from pocketrec_bench.card import read_card
from pocketrec_bench.errors import ResultFormatError
from pocketrec_bench.ledger import append_to_ledger


def main() -> int:
    """Read the arguments, append all cards or none."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--to", type=Path, required=True)
    given = parser.parse_args()
    try:
        count = append_to_ledger(given.to, [read_card(run) for run in given.runs])
    except (OSError, ResultFormatError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    print(f"{count} cards appended to {given.to}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
