"""Writers killed with SIGKILL, round after round: no event that was acknowledged may be lost.

python benchmarks/events/kill.py --rounds 200

Each round, `--writers` processes record into one store and write the place of every event that
`record` returned into a pipe; all are killed at a random moment, one after the other. Then every
acknowledged event must stand in the store as it was given, and SQLite's integrity check must hold.
"""

import argparse
import json
import os
import random
import signal
import sqlite3
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from pocketrec.events import EventStore


@dataclass
class Tally:
    """What was seen over all rounds."""

    rounds: int = 0
    acknowledged: int = 0
    lost: int = 0
    unacknowledged: int = 0
    integrity_failures: int = 0


def write_until_killed(folder: Path, user: str, acknowledgements: int) -> None:
    """Records for ever; every event that was kept is told through the pipe."""
    store = EventStore(folder)
    number = 0
    while True:
        kept = store.record(user, f"item-{number}", "click", time_s=float(number))
        os.write(acknowledgements, f"{kept.sequence} {number}\n".encode())
        number += 1


def started(folder: Path, user: str) -> tuple[int, int]:
    """Process id of a new writer, and the pipe that it tells through."""
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(reading)
        try:
            write_until_killed(folder, user, writing)
        finally:
            os._exit(1)  # only an error leads here
    os.close(writing)
    return process, reading


def drained(pipe: int, head: bytes) -> list[tuple[int, int]]:
    """Every whole acknowledgement of a dead writer, whose first bytes are `head`."""
    with os.fdopen(pipe, "rb") as stream:
        lines = (head + stream.read()).split(b"\n")[:-1]
    return [(int(place), int(number)) for place, number in (line.split() for line in lines)]


def one_round(folder: Path, names: list[str], chance: random.Random, tally: Tally) -> None:
    """Start, kill, count."""
    writers = [started(folder, name) for name in names]
    heads = []
    for process, pipe in writers:
        heads.append(os.read(pipe, 1))  # it has recorded something
        time.sleep(chance.uniform(0.0, 0.02))
        os.kill(process, signal.SIGKILL)
    acknowledged = {}
    for name, (process, pipe), head in zip(names, writers, heads, strict=True):
        _, status = os.waitpid(process, 0)
        if not os.WIFSIGNALED(status):
            raise SystemExit(f"writer {name} ended by itself with {status}")
        told = drained(pipe, head)
        acknowledged |= {place: (name, f"item-{number}") for place, number in told}
    with EventStore(folder) as store:
        kept = {e.sequence: (e.user, e.item) for name in names for e in store.events(name)}
    lost = [place for place, what in acknowledged.items() if kept.get(place) != what]
    tally.rounds += 1
    tally.acknowledged += len(acknowledged)
    tally.unacknowledged += len(kept) - len(acknowledged)
    tally.lost += len(lost)
    connection = sqlite3.connect(folder / "events.sqlite")
    (verdict,) = connection.execute("PRAGMA integrity_check").fetchone()
    connection.close()
    tally.integrity_failures += verdict != "ok"


def main(arguments: list[str] | None = None) -> int:
    """Runs the rounds and prints one JSON document; exit code 1 where anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--writers", type=int, default=3)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--folder", type=Path, help="a new folder on the disk to try")
    given = parser.parse_args(arguments)
    tally, chance = Tally(), random.Random(given.seed)
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        for number in range(given.rounds):
            names = [f"{number}.{writer}" for writer in range(given.writers)]
            one_round(Path(folder), names, chance, tally)
    print(json.dumps({"writers": given.writers, "seed": given.seed, **asdict(tally)}))
    return int(tally.lost > 0 or tally.integrity_failures > 0)


if __name__ == "__main__":
    sys.exit(main())
