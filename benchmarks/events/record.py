"""How long `record` takes: beside bare SQLite, encrypted, power-safe, and between processes.

python benchmarks/events/record.py --out build/events.json

Kinds take turns in rounds of one call each, so that noise of the machine meets all alike. Where
other programs want the cores, a call may wait for one: Linux counts that, and it is shown apart.
Every store is read at the end: each event must be there.
"""

import argparse
import json
import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "runtime"))
from harness import Timing, device, timing, write_record

from pocketrec.events import EventStore, EventStoreSettings

SCHEDULER = Path("/proc/thread-self/schedstat")
Call = Callable[[int], object]


@dataclass(frozen=True)
class Row:
    """Times of one kind.

    Attributes:
        wall: As a caller sees them.
        running: Less the time for which other programs had the core.
    """

    wall: Timing
    running: Timing


class Stopwatch:
    """Seconds of calls, with and without those that they waited for a core."""

    def __init__(self) -> None:
        self._file = os.open(SCHEDULER, os.O_RDONLY)
        self.wall_s: list[float] = []
        self.running_s: list[float] = []

    def call(self, call: Call, number: int) -> None:
        """Times one call."""
        waited_s, start = self._waited_s(), time.perf_counter()
        call(number)
        wall_s = time.perf_counter() - start
        self.wall_s.append(wall_s)
        self.running_s.append(max(0.0, wall_s - (self._waited_s() - waited_s)))

    def row(self) -> Row:
        """What was timed so far."""
        return Row(timing(self.wall_s), timing(self.running_s))

    def _waited_s(self) -> float:
        return int(os.pread(self._file, 100, 0).split()[1]) / 1e9


def bare(folder: Path, journal: str, synchronous: str) -> tuple[Call, Callable[[], int]]:
    """SQLite alone: one table, one index, one transaction per insert."""
    connection = sqlite3.connect(folder / "bare.sqlite", isolation_level=None)
    connection.execute(f"PRAGMA journal_mode = {journal}")
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    connection.execute("CREATE TABLE e (n INTEGER PRIMARY KEY, user, item, event, time_s)")
    connection.execute("CREATE INDEX by_user ON e (user, n)")

    def insert(number: int) -> None:
        values = (f"user-{number % 7}", f"item-{number}", "click", time.time())
        connection.execute("INSERT INTO e (user, item, event, time_s) VALUES (?, ?, ?, ?)", values)

    def count() -> int:
        (found,) = connection.execute("SELECT count(*) FROM e").fetchone()
        return int(found)

    return insert, count


def ours(folder: Path, **settings: Any) -> tuple[Call, Callable[[], int]]:
    """An `EventStore`."""
    store = EventStore(folder, **settings)
    return (
        lambda number: store.record(f"user-{number % 7}", f"item-{number}", "click"),
        lambda: len(store),
    )


def alone(folder: Path, events: int) -> dict[str, Row]:
    """Times of each kind, one process; what waits for the disk in a group of its own.

    A flush of one file holds up writes to all others of the file system.
    """
    quick = {
        "pocketrec": ours(folder / "plain"),
        "pocketrec, encrypted": ours(folder / "cipher", key="a key"),
        "SQLite, WAL, NORMAL": bare(_made(folder / "wal"), "WAL", "NORMAL"),
    }
    safe = {
        "pocketrec, power_safe": ours(
            folder / "safe", settings=EventStoreSettings(power_safe=True)
        ),
        "SQLite, defaults": bare(_made(folder / "default"), "DELETE", "FULL"),
    }
    return {**_in_turn(quick, events), **_in_turn(safe, events // 10)}


def _in_turn(kinds: dict[str, tuple[Call, Callable[[], int]]], events: int) -> dict[str, Row]:
    watches = {name: Stopwatch() for name in kinds}
    for number in range(events):
        for name, (call, _) in kinds.items():
            watches[name].call(call, number)
    for name, (_, count) in kinds.items():
        if count() != events:
            raise SystemExit(f"{name} kept {count()} of {events} events")
    return {name: w.row() for name, w in watches.items()}


def together(folder: Path, processes: int, events: int, pause_s: float) -> Row:
    """Times of `record` in several processes on one store, each with a pause after each event."""
    pipes = []
    for writer in range(processes):
        reading, writing = os.pipe()
        if os.fork() == 0:
            os.close(reading)
            _write_and_tell(folder, writer, events, pause_s, writing)
        os.close(writing)
        pipes.append(reading)
    wall_s: list[float] = []
    running_s: list[float] = []
    for pipe in pipes:
        with os.fdopen(pipe, "rb") as stream:
            told = json.loads(stream.read())
        wall_s += told[0]
        running_s += told[1]
    for _ in pipes:
        os.wait()
    with EventStore(folder) as store:
        if len(store) != processes * events or len(wall_s) != len(store):
            raise SystemExit(f"{len(store)} of {processes * events} events were kept")
    return Row(timing(wall_s), timing(running_s))


def _write_and_tell(folder: Path, writer: int, events: int, pause_s: float, pipe: int) -> None:
    try:
        store, watch = EventStore(folder), Stopwatch()
        for number in range(events):
            watch.call(lambda n: store.record(f"user-{writer}", f"item-{n}", "click"), number)
            time.sleep(pause_s)
        with os.fdopen(pipe, "wb") as stream:
            stream.write(json.dumps([watch.wall_s, watch.running_s]).encode())
    finally:
        os._exit(0)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def main(arguments: list[str] | None = None) -> int:
    """Measures and prints; exit code 1 where p99 of `record` with a core is above 2 ms."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=5000)
    parser.add_argument("--processes", type=int, nargs="*", default=[2, 8])
    parser.add_argument("--folder", type=Path, help="a folder on the disk to try")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        rows = alone(folder, given.events)
        for processes in given.processes:
            each = given.events // processes
            for words, pause_s in (("2 ms apart", 0.002), ("without a pause", 0.0)):
                store = _made(folder / f"{processes} {words}")
                rows[f"{processes} processes, {words}"] = together(store, processes, each, pause_s)
    for words, row in rows.items():
        print(
            f"{words:34} median {row.wall.median_ms:8.3f} ms   p99 {row.wall.p99_ms:8.3f} ms   "
            f"p99 with a core {row.running.p99_ms:8.3f} ms"
        )
    if given.out is not None:
        figures = {words: asdict(row) for words, row in rows.items()}
        write_record(given.out, {"device": device(), "events": given.events, "record": figures})
    return int(rows["pocketrec"].running.p99_ms > 2)


if __name__ == "__main__":
    sys.exit(main())
