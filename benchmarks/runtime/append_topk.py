"""One event appended and the exact top ten, against what this machine's memory allows.

python benchmarks/runtime/append_topk.py [--items 1682 --items 100000 --items 1000000]

Needs pocketrec[distill], which exports the tower; its data goes to build/peers.
"""

import sys
from pathlib import Path

import harness

harness.one_thread()
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "peers"))

import argparse  # noqa: E402

import data  # noqa: E402
import numpy as np  # noqa: E402

from pocketrec_runtime import Engine  # noqa: E402

BUILD = Path(__file__).resolve().parents[2] / "build" / "peers"


def measured(folder: Path, rounds: int) -> dict[str, harness.Timing]:
    """Timings over 200 histories in turn, the answers checked."""
    engine = Engine.open(folder / "bundle")
    histories = np.load(folder / "histories.npy").tolist()
    expected = np.load(folder / "expected.npy")
    states = [engine.prefill(history[:-1])[0] for history in histories]
    grown = [engine.append(s, h[-1]) for s, h in zip(states, histories, strict=True)]
    found = [engine.top_k(vector, 10, exclude=state.seen)[0] for state, vector in grown]
    overlap = np.mean([len(set(a) & set(b)) for a, b in zip(found, expected, strict=True)]) / 10
    if overlap < 0.99:
        raise ValueError(f"overlap with the exact top ten is {overlap:.3f}; at least 0.99")
    turn = iter(range(10**9))

    def append() -> object:
        place = next(turn) % len(states)
        return engine.append(states[place], histories[place][-1])

    def top_k() -> object:
        state, vector = grown[next(turn) % len(grown)]
        return engine.top_k(vector, 10, exclude=state.seen)

    def both() -> object:
        place = next(turn) % len(states)
        state, vector = engine.append(states[place], histories[place][-1])
        return engine.top_k(vector, 10, exclude=state.seen)

    calls = {"append": append, "top-10": top_k, "append + top-10": both}
    return harness.interleave(calls, rounds=rounds, runs=200)


def main() -> None:
    """Measure, print a table, and write the record where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, action="append")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    bandwidth = harness.read_bandwidth_gb_s()
    record = {"benchmark": "append_topk", "device": harness.device(), "results": {}}
    record["read_bandwidth_gb_s"] = round(bandwidth, 2)
    print(f"one thread reads {bandwidth:.1f} GB/s from memory here")
    print(f"{'items':>9} {'call':16} {'median ms':>10} {'p95':>8} {'p99':>8} {'limit ms':>9}")
    for items in arguments.items or [1_682, 100_000]:
        folder = BUILD / f"data-{items}"
        data.make(folder, items)
        limit = items * (data.WIDTH + 4) / bandwidth / 1e6  # int8 rows and their scales, read once
        rows = measured(folder, arguments.rounds)
        for name, row in rows.items():
            shown = "" if name == "append" else f"{limit:9.3f}"
            print(
                f"{items:9,} {name:16} {row.median_ms:10.3f} {row.p95_ms:8.3f} "
                f"{row.p99_ms:8.3f} {shown:>9}"
            )
        record["results"][str(items)] = {
            "memory_limit_ms": limit,
            **{name: row.as_dict() for name, row in rows.items()},
        }
    if arguments.json:
        harness.write_record(arguments.json, record)


if __name__ == "__main__":
    main()
