"""What a failing server costs an app: overruns of the deadline, and time added to the answer.

python benchmarks/fallback/run.py [--calls N] [--json FILE] [--readme FILE]

Every server is a process of its own on loopback. Two parts:
- each fault of servers.py with the breaker off: how far the whole answer (device, server, checks)
  goes beyond its deadline of 100 ms;
- a dead, a hanging and a failing server with the breaker on: what `improve` adds to the device's
  answer once the circuit is open, its checks in the background among the calls.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "runtime"))

import harness

harness.one_thread()

import argparse  # noqa: E402
import json  # noqa: E402
import socket  # noqa: E402
import subprocess  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from contextlib import contextmanager  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
from made_bundle import made_up_bundle  # noqa: E402
from pages import put_between  # noqa: E402
from servers import FAULTS  # noqa: E402

from pocketrec.fallback import (  # noqa: E402
    Breaker,
    BreakerSettings,
    Deadline,
    FallbackClient,
    FallbackSettings,
    improve,
)
from pocketrec_runtime import Engine  # noqa: E402

ITEMS, EVENTS, K = 20_000, 30, 10
DEADLINE_MS, MOST_OVERRUN_MS, MOST_ADDED_MS = 100.0, 50.0, 5.0
MARKS = ("<!-- faults: begin, written by run.py -->", "<!-- faults: end -->")
#: Without a server process: name -> URL.
NO_SERVER = {"dns": "https://no-such-host.invalid", "refused": ""}
OPENED = ("refused", "hang", "status_500", "good")


def main() -> None:
    """Measures, prints and records."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=200, help="of each fault")
    parser.add_argument("--opened-calls", type=int, default=2_000, help="with the circuit open")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--readme", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        faults = {name: bench.overruns(name, options.calls) for name in all_faults()}
        opened = {name: bench.added(name, options.opened_calls) for name in OPENED}
    record: dict[str, Any] = {
        "deadline_ms": DEADLINE_MS,
        "items": ITEMS,
        "faults": faults,
        "opened": opened,
        "device": harness.device(),
    }
    page = "\n".join(tables(record))
    print(page)
    if options.json:
        harness.write_record(options.json, record)
    if options.readme:
        put_between(options.readme, *MARKS, page)


def all_faults() -> list[str]:
    """Every fault, a server that does well first."""
    return ["good", *NO_SERVER, "tls_to_plain", *FAULTS]


class Bench:
    """One engine, and calls with servers."""

    def __init__(self, folder: Path) -> None:
        made_up_bundle(folder / "bundle", ITEMS)
        self.engine = Engine.open(folder / "bundle")
        self.ids = folder / "ids.json"
        self.ids.write_text(json.dumps(list(self.engine.catalogue.ids)), encoding="utf-8")
        self.rng = np.random.default_rng(3)

    def history(self) -> list[str]:
        """Random events."""
        events = self.rng.integers(ITEMS, size=EVENTS).tolist()
        return [self.engine.catalogue.ids[event] for event in events]

    @contextmanager
    def server(self, fault: str) -> Iterator[str]:
        """The URL of a server in a process of its own, or of none."""
        if fault == "dns":
            yield NO_SERVER[fault]
            return
        if fault == "refused":
            with socket.create_server(("127.0.0.1", 0)) as taken:
                port = taken.getsockname()[1]
            yield f"http://127.0.0.1:{port}"
            return
        behaviour = "good" if fault == "tls_to_plain" else fault
        script = str(Path(__file__).with_name("servers.py"))
        with subprocess.Popen(
            [sys.executable, script, behaviour, str(self.ids)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdin is not None  # noqa: S101 - for the type checker
            assert process.stdout is not None  # noqa: S101
            port = int(process.stdout.readline())
            yield f"{'https' if fault == 'tls_to_plain' else 'http'}://127.0.0.1:{port}"
            process.stdin.close()

    def overruns(self, fault: str, calls: int) -> dict[str, Any]:
        """Whole answers with the breaker off: how they ended, and how far beyond the deadline."""
        over, whole, sources = [], [], []
        with self.server(fault) as url:
            settings = FallbackSettings(url=url, breaker=BreakerSettings(failures=10**9))
            client = FallbackClient(settings)
            for _ in range(calls):
                # A server that asks for patience would be left alone otherwise.
                client.breaker = Breaker(settings.breaker, time.monotonic)
                history = self.history()
                deadline = Deadline.after_ms(DEADLINE_MS)
                started = time.perf_counter()
                answer = self.engine.recommend(history, K)
                answer = improve(client, self.engine, history, K, answer, deadline)
                whole.append(time.perf_counter() - started)
                over.append(max(0.0, whole[-1] - DEADLINE_MS / 1e3))
                sources.append(answer.source if len(answer.items) == K else "short")
            client.close()
        return {
            "answered": sum(source in {"device", "server"} for source in sources) / calls,
            "by_server": sources.count("server") / calls,
            "ended": client.counts,
            "overrun": harness.timing(over).as_dict(),
            "whole": harness.timing(whole).as_dict(),
        }

    def added(self, fault: str, calls: int) -> dict[str, Any]:
        """Time of `improve` once the circuit is open, and of the device's own answer."""
        added, own, answered, checks = [], [], 0, 0
        with self.server(fault) as url:
            # Checks come twenty-five times as often as they do by default.
            breaker = BreakerSettings(failures=3, open_s=0.2, longest_open_s=0.2)
            client = FallbackClient(FallbackSettings(url=url, breaker=breaker))
            warm = 10
            for call in range(calls + warm):
                history = self.history()
                deadline = Deadline.after_ms(DEADLINE_MS)
                started = time.perf_counter()
                answer = self.engine.recommend(history, K)
                between = time.perf_counter()
                answer = improve(client, self.engine, history, K, answer, deadline)
                ended = time.perf_counter()
                answered += len(answer.items) == K
                if call >= warm:
                    own.append(between - started)
                    added.append(ended - between)
            checks = sum(entry.path == "/readyz" for entry in client.ledger.entries())
            client.close()
        return {
            "answered": answered / (calls + warm),
            "ended": client.counts,
            "checks_sent": checks,
            "added": harness.timing(added).as_dict(),
            "device_alone": harness.timing(own).as_dict(),
        }


def tables(record: dict[str, Any]) -> Iterator[str]:
    """The figures for people."""
    yield f"Deadline {DEADLINE_MS:.0f} ms, breaker off:\n"
    yield "| Server | Calls | Answered | By the server | Overrun p99 | Whole, median | Whole, p99 |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for name, row in record["faults"].items():
        over, whole = row["overrun"], row["whole"]
        yield (
            f"| {name} | {over['runs']} | {row['answered']:.2%} | {row['by_server']:.0%} | "
            f"{over['p99_ms']:.1f} ms | {whole['median_ms']:.1f} ms | {whole['p99_ms']:.1f} ms |"
        )
    worst = max(row["overrun"]["p99_ms"] for row in record["faults"].values())
    yield f"\nWorst overrun p99 {worst:.1f} ms, {_within(worst, MOST_OVERRUN_MS)}.\n"
    yield "Circuit open, checks in the background; `good`, which never opens it, for comparison:\n"
    yield "| Server | Calls | Answered | Added, median | Added, p99 | Device alone, median |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for name, row in record["opened"].items():
        added = row["added"]
        yield (
            f"| {name} | {added['runs']} | {row['answered']:.2%} | {added['median_ms']:.3f} ms | "
            f"{added['p99_ms']:.3f} ms | {row['device_alone']['median_ms']:.3f} ms |"
        )
    dead = max(row["added"]["p99_ms"] for name, row in record["opened"].items() if name != "good")
    yield f"\nWorst added p99 {dead:.3f} ms, {_within(dead, MOST_ADDED_MS)}."


def _within(value: float, limit: float) -> str:
    return f"{'within' if value <= limit else 'ABOVE'} the limit of {limit:.0f} ms"


if __name__ == "__main__":
    main()
