"""What users' states take and save: 1,000 users with full windows, one thread.

python benchmarks/runtime/users.py [--users N] [--items N] [--json FILE]

Bytes counted by the store beside the growth of resident memory; an event more from the kept state
beside reading the whole window; many histories in one call beside one call each.
"""

import harness

harness.one_thread()

import argparse  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import tempfile  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402
from made_bundle import WINDOW, made_up_bundle  # noqa: E402

import pocketrec_runtime as rt  # noqa: E402

LIMIT_MB = 60.0


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", type=int, default=1000)
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        made_up_bundle(Path(folder) / "bundle", options.items)
        engine = rt.Engine.open(Path(folder) / "bundle")
    rng = np.random.default_rng(2)
    histories = rng.integers(options.items, size=(options.users, WINDOW)).tolist()
    store = rt.StateStore(memory_bytes=1 << 30)
    before = _resident_mb()
    for user, history in enumerate(histories):
        store.follow(engine, str(user), history[:-1])
        store.follow(engine, str(user), history)
    record: dict[str, object] = {
        "users": options.users,
        "counted_mb": store.stats.memory_bytes / 2**20,
        "resident_mb": _resident_mb() - before,
        "reused_positions": engine.reused_positions,
    }
    times = _times(engine, histories)
    for name, value in {**record, **{k: v.as_dict() for k, v in times.items()}}.items():
        print(f"{name:34}{value if isinstance(value, dict) else f'{value:10.1f}'}")
    held = float(str(record["resident_mb"]))
    print(f"resident_mb {'within' if held <= LIMIT_MB else 'ABOVE'} the limit of {LIMIT_MB}")
    record |= {"times_ms": {name: timing.as_dict() for name, timing in times.items()}}
    print(json.dumps(harness.device()))
    if options.json:
        harness.write_record(options.json, {**record, "device": harness.device()})


def _times(engine: rt.Engine, histories: list[list[int]]) -> dict[str, harness.Timing]:
    store = rt.StateStore()
    short, full = histories[0][:-1], histories[0]
    state, _ = engine.prefill(short)

    def through_the_store() -> None:
        store.forget("u")
        store.follow(engine, "u", short)
        store.follow(engine, "u", full)

    return harness.interleave(
        {
            "append of one event": lambda: engine.append(state, full[-1]),
            "prefill of the window": lambda: engine.prefill(full),
            "store: prefill, then one event": through_the_store,
            "64 prefills": lambda: [engine.prefill(history) for history in histories[:64]],
            "prefill_many of 64": lambda: engine.prefill_many(histories[:64]),
        },
        rounds=10,
        runs=10,
    )


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    main()
