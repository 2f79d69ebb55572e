"""Does `bench compare` find a slowed build, and does it leave an equal one alone?

    python benchmarks/device/sensitivity.py my.bundle --rounds 5 --seconds 8 --slow 0.15

Three builds take turns, each run in a process of its own: this checkout as A, the same as B, and a
copy that waits a share of A's median in every query. Runs are shorter than the 60 s of a
valid one. From the runs of A and B, which are one build, all ways to take sides of equal size say
how often equality is called a difference; A against the copy, how often the wait is found.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from itertools import combinations, product
from pathlib import Path
from typing import Any

import slowed

from pocketrec_bench.card import Card, this_build
from pocketrec_bench.compare import compare_cards, overall
from pocketrec_bench.device import read_device
from pocketrec_bench.replicates import agreement
from pocketrec_bench.results import Result, from_json

MOST_SPLITS = 300


def measure(bundle: Path, root: Path, seconds: float) -> Result:
    """One run of the build in a folder, in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": slowed.python_path(root)}
    done = subprocess.run(
        [sys.executable, "-m", "pocketrec", "bench", str(bundle), "--quick",
         "--seconds", str(seconds), "--json"],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True,
    )  # fmt: skip
    return from_json(done.stdout)


def verdicts(
    sides: Sequence[tuple[Sequence[Result], Sequence[Result]]], margin: float
) -> dict[str, float]:
    """Share of each verdict among comparisons of runs on this device."""
    from pocketrec_bench.compare import CompareSettings

    device, build = read_device(), this_build()
    found = Counter(
        overall(compare_cards(
            [Card(build, device, tuple(first))], [Card(build, device, tuple(second))],
            CompareSettings(margin=margin), allow_invalid=True,
        ))
        for first, second in sides
    )  # fmt: skip
    return {name: count / len(sides) for name, count in sorted(found.items())}


def halves(runs: Sequence[Result]) -> list[tuple[list[Result], list[Result]]]:
    """Ways to part runs into two sides of equal size, at most `MOST_SPLITS`, evenly taken."""
    half = len(runs) // 2
    ways = []
    for chosen in combinations(range(len(runs)), half):
        rest = [run for place, run in enumerate(runs) if place not in chosen]
        ways.append(([runs[place] for place in chosen], rest[:half]))
    return ways[:: max(1, len(ways) // MOST_SPLITS)]


def swaps(
    first: Sequence[Result], second: Sequence[Result]
) -> list[tuple[list[Result], list[Result]]]:
    """Every way to say which run of a round is of which side: the runs stay pairs in turns."""
    ways = []
    for swapped in product((False, True), repeat=len(first)):
        pairs = [(b, a) if swap else (a, b)
                 for a, b, swap in zip(first, second, swapped, strict=True)]  # fmt: skip
        ways.append(([pair[0] for pair in pairs], [pair[1] for pair in pairs]))
    return ways


def singles(
    first: Sequence[Result], second: Sequence[Result]
) -> list[tuple[list[Result], list[Result]]]:
    """Every run of one list against every other run of the other."""
    return [([a], [b]) for a in first for b in second if a is not b]


def main() -> None:
    """Measure, compare, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--slow", type=float, default=0.15, help="share of A's median")
    parser.add_argument("--margin", type=float, default=0.05)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        runs = take_turns(arguments, Path(folder))
    record = judge(runs, arguments)
    print(json.dumps(record, indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def take_turns(arguments: argparse.Namespace, folder: Path) -> dict[str, list[Result]]:
    """The runs of each build, interleaved; a first run of A says how long the copy waits."""
    first = measure(arguments.bundle, slowed.ROOT, arguments.seconds)
    slowed.slowed_copy(folder, arguments.slow * first.latency.p50_s)
    roots = {"a": slowed.ROOT, "b": slowed.ROOT, "slowed": folder}
    runs: dict[str, list[Result]] = {name: [] for name in roots}
    for number in range(arguments.rounds):
        for name, root in roots.items():
            result = measure(arguments.bundle, root, arguments.seconds)
            runs[name].append(result)
            print(f"{number} {name:7} {result.latency.p50_s * 1e6:8.1f} us, waited for a core "
                  f"{result.load.waited_share or 0:.1%}", file=sys.stderr)  # fmt: skip
    return runs


def judge(runs: dict[str, list[Result]], arguments: argparse.Namespace) -> dict[str, Any]:
    """What comparisons say."""
    a, b, slow = runs["a"], runs["b"], runs["slowed"]
    both = [*a, *b]
    margin = arguments.margin
    return {
        "bundle": arguments.bundle.name,
        "rounds": arguments.rounds,
        "seconds": arguments.seconds,
        "slow": arguments.slow,
        "margin": margin,
        "build": this_build().commit,
        "device": read_device().as_dict(),
        "measured_at": a[0].measured_at,
        "medians_us": {k: [round(r.latency.p50_s * 1e6, 2) for r in v] for k, v in runs.items()},
        "waited_share": {k: [r.load.waited_share for r in v] for k, v in runs.items()},
        "agreement": {k: round(agreement(v).spread, 4) for k, v in runs.items()},
        "a_against_b": verdicts([(a, b)], margin),
        "a_against_slowed": verdicts([(a, slow)], margin),
        "equal_builds": {
            "replicates a side": len(a),
            "in turns, all ways to swap within rounds": verdicts(swaps(a, b), margin),
            "out of turn, all ways to part the runs": verdicts(halves(both), margin),
            "one run a side": verdicts(singles(both, both), margin),
        },
        "slowed_build": {
            "leaving one of each out": verdicts(
                [(a[:n] + a[n + 1 :], slow[:m] + slow[m + 1 :])
                 for n in range(len(a)) for m in range(len(slow))], margin,
            ),
            "one run a side": verdicts(singles(both, slow), margin),
        },
    }  # fmt: skip


if __name__ == "__main__":
    main()
