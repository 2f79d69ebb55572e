"""Threads that share one engine and one store, every answer held against one thread's.

python benchmarks/runtime/hammer.py [--seconds N] [--threads N] [--items N] [--json FILE]

Ends with exit code 1 where an answer differs from the reference by more than 1e-4 in a score, or
holds other items than the reference where scores are not that close.
"""

import harness

harness.one_thread()

import argparse  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402
from made_bundle import made_up_bundle  # noqa: E402

import pocketrec_runtime as rt  # noqa: E402

USERS, EVENTS, K, TOLERANCE = 200, 70, 10, 1e-4


def main() -> int:
    """Hammers, prints what happened, and gives the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        made_up_bundle(Path(folder) / "bundle", options.items)
        engine = rt.Engine.open(Path(folder) / "bundle")
        histories = np.random.default_rng(1).integers(options.items, size=(USERS, EVENTS)).tolist()
        wanted = [_answer(engine, *engine.reader.read(history)) for history in histories]
        # Half of the users fit, so that states leave memory and come back from the disk.
        store = rt.StateStore(Path(folder) / "states", memory_bytes=USERS // 2 * 55_000)
        record = _hammer(engine, store, histories, wanted, options)
    print(record)
    if options.json:
        harness.write_record(options.json, {**record, "device": harness.device()})
    return 1 if record["wrong"] or record["failed"] else 0


def _hammer(
    engine: rt.Engine,
    store: rt.StateStore,
    histories: list[list[int]],
    wanted: list[rt.Recommendation],
    options: argparse.Namespace,
) -> dict[str, object]:
    answers, wrong, failed = [0] * options.threads, [0] * options.threads, [""] * options.threads
    until = time.monotonic() + options.seconds

    def work(number: int) -> None:
        rng = np.random.default_rng(number)
        try:
            while time.monotonic() < until:
                user = int(rng.integers(USERS))
                if rng.random() < 0.3:  # an earlier state first, so that the next call extends it
                    store.follow(engine, str(user), histories[user][: int(rng.integers(1, EVENTS))])
                found = _answer(engine, *store.follow(engine, str(user), histories[user]))
                answers[number] += 1
                wrong[number] += not _same(found, wanted[user])
        except Exception as error:  # noqa: BLE001 - whatever ends a thread is what is looked for
            failed[number] = repr(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(options.threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {
        "seconds": options.seconds,
        "threads": options.threads,
        "answers": sum(answers),
        "wrong": sum(wrong),
        "failed": [error for error in failed if error],
        "store": vars(store.stats),
    }


def _answer(engine: rt.Engine, state: rt.UserState, vector: np.ndarray) -> rt.Recommendation:
    return engine.rank(vector, K, exclude=state.seen)


def _same(found: rt.Recommendation, wanted: rt.Recommendation) -> bool:
    scores = [[item.score for item in answer.items] for answer in (found, wanted)]
    if len(scores[0]) != K or np.abs(np.subtract(*scores)).max() > TOLERANCE:
        return False
    ids = [{item.item_id for item in answer.items} for answer in (found, wanted)]
    last = wanted.items[-1].score
    # Items whose scores are as close as floats of another order of sums may change places.
    return all(
        abs(item.score - last) <= 2 * TOLERANCE
        for answer in (found, wanted)
        for item in answer.items
        if item.item_id in ids[0] ^ ids[1]
    )


if __name__ == "__main__":
    sys.exit(main())
