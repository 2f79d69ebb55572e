"""From a tap to the next answer: `record`, then `recommend`, on a bundle.

python benchmarks/events/tap.py my.bundle
"""

import argparse
import random
import tempfile
from pathlib import Path

from record import Row, Stopwatch

from pocketrec import Recommender
from pocketrec.events import Event


def taps(recommender: Recommender, events: int, taps: int) -> tuple[Row, Row]:
    """Times of `record` and of `recommend` for a user with so many events before."""
    ids, chance = list(recommender.engine.catalogue.ids), random.Random(events)
    user = recommender.user(f"user of {events}")
    before = [Event(user.id, chance.choice(ids), "click", 1.0) for _ in range(events)]
    recommender.store.record_many(before)
    user.recommend()
    recording, recommending = Stopwatch(), Stopwatch()
    for number in range(taps):
        recording.call(lambda _: user.record(chance.choice(ids)), number)
        recommending.call(lambda _: user.recommend(k=10), number)
    if len(recommender.store.events(user.id)) != events + taps:
        raise SystemExit("an event is missing")
    return recording.row(), recommending.row()


def main() -> None:
    """Prints a row for each length of history."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--taps", type=int, default=1000)
    parser.add_argument("--events", type=int, nargs="+", default=[50, 500, 5000])
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        Recommender.open(given.bundle, store=folder) as recommender,
    ):
        print(f"{len(recommender.engine.catalogue)} items")
        for events in given.events:
            for words, row in zip(
                ("record", "recommend"), taps(recommender, events, given.taps), strict=True
            ):
                print(
                    f"{events:6} events, {words:10} median {row.wall.median_ms:7.3f} ms   "
                    f"p99 {row.wall.p99_ms:7.3f} ms   p99 with a core {row.running.p99_ms:7.3f} ms"
                )


if __name__ == "__main__":
    main()
