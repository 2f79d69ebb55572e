"""Micro-batching against one at a time: the same server, the same load, in turns.

    python benchmarks/server/run.py TEACHER --interactions events.csv

Two servers of one teacher folder run at once, and are asked in turn, so that what else the machine
does meets both. `sessions`: clients replay users event by event, as devices ask; most of a history
was read before. `strangers`: every request brings a whole history that was never seen. Answers of
both servers to the same histories must agree before anything is timed.
"""

import argparse
import csv
import gzip
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import urllib.request
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path

HERE = Path(__file__).parent
MODES = {"one at a time": 1, "micro-batches": 32}


def read_histories(path: Path) -> list[list[str]]:
    """Users' items in the order of time, users of at least 3 events."""
    by_user: dict[str, list[tuple[float, str]]] = defaultdict(list)
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        rows = csv.reader(file)
        names = next(rows)
        user, item = names.index("user_id"), names.index("item_id")
        when = next(i for i, name in enumerate(names) if name in ("timestamp", "time", "position"))
        for row in rows:
            by_user[row[user]].append((float(row[when]), row[item]))
    found = [[item for _, item in sorted(events)] for events in by_user.values()]
    return [history for history in found if len(history) >= 3]


def body(history: list[str]) -> str:
    """One request."""
    return json.dumps({"history": history, "k": 10})


def sessions(histories: list[list[str]], clients: int) -> list[list[str]]:
    """Each client replays its users, event by event."""
    plan: list[list[str]] = [[] for _ in range(clients)]
    for user, history in enumerate(histories):
        plan[user % clients] += [body(history[:end]) for end in range(1, len(history) + 1)]
    return plan


def strangers(histories: list[list[str]], clients: int, rng: random.Random) -> list[list[str]]:
    """Whole histories of the same lengths, their items exchanged, so that none comes twice."""
    items = sorted({item for history in histories for item in history})
    plan: list[list[str]] = [[] for _ in range(clients)]
    for _ in range(4):
        other = dict(zip(items, rng.sample(items, len(items)), strict=True))
        for user, history in enumerate(histories):
            plan[user % clients].append(body([other[item] for item in history]))
    return plan


class Server:
    """`pocketrec serve` in a process of its own."""

    def __init__(self, teacher: Path, max_batch: int, threads: int, more: list[str]) -> None:
        command = [sys.executable, "-m", "pocketrec", "serve", str(teacher), "--port", "0",
                   "--max-batch", str(max_batch), "--threads", str(threads), *more]  # fmt: skip
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        said = json.loads(self.process.stderr.readline())
        self.host, self.port = said["url"].removeprefix("http://").rsplit(":", 1)
        # Whoever does not read the log stops the one who writes it.
        subprocess.Popen(["cat"], stdin=self.process.stderr, stdout=subprocess.DEVNULL)

    def ask(self, request: str) -> list[str]:
        """The ids of one answer."""
        url = f"http://{self.host}:{self.port}/v1/recommend"
        asked = urllib.request.Request(url, request.encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(asked) as answer:
            return [item["id"] for item in json.load(answer)["items"]]

    def load(self, plan: list[list[str]], seconds: float) -> dict[str, float]:
        """Figures of one round of load, from a second process."""
        command = [sys.executable, str(HERE / "load.py"), self.host, self.port, str(seconds)]
        done = subprocess.run(
            command, input=json.dumps(plan), capture_output=True, text=True, check=True
        )
        found: dict[str, float] = json.loads(done.stdout)
        if found["failures"]:
            raise SystemExit(f"{found['failures']} answers were no 200")
        return found

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(30)


def measured(servers: dict[str, Server], plan: list[list[str]], seconds: float, rounds: int):
    """Rounds in turn, and the median of each mode's figures."""
    found: dict[str, list[dict[str, float]]] = {mode: [] for mode in servers}
    for _ in range(rounds):
        for mode, server in servers.items():
            found[mode].append(server.load(plan, seconds))
            print(mode, found[mode][-1], file=sys.stderr, flush=True)
    medians = {
        mode: {key: statistics.median(r[key] for r in rows) for key in rows[0]}
        for mode, rows in found.items()
    }
    ratios = [
        batched["requests_per_s"] / one["requests_per_s"]
        for one, batched in zip(found["one at a time"], found["micro-batches"], strict=True)
    ]
    return {**medians, "throughput_ratio": statistics.median(ratios), "ratios": ratios}


def main() -> None:
    """Measure and write the result as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("teacher", type=Path)
    parser.add_argument("--interactions", type=Path, required=True)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("server.json"))
    given, more = parser.parse_known_args()
    histories = read_histories(given.interactions)
    rng = random.Random(0)
    rng.shuffle(histories)
    with ExitStack() as stack:
        servers = {
            mode: Server(given.teacher, size, given.threads, more) for mode, size in MODES.items()
        }
        for server in servers.values():
            stack.callback(server.stop)
        checked = [body(history) for history in histories[:50]]
        first, second = ([server.ask(c) for c in checked] for server in servers.values())
        if first != second:
            raise SystemExit("the two servers do not agree")
        plans = {
            "sessions": sessions(histories, given.clients),
            "strangers": strangers(histories, given.clients, rng),
        }
        loads = {
            name: measured(servers, plan, given.seconds, given.rounds)
            for name, plan in plans.items()
        }
    manifest = json.loads((given.teacher / "manifest.json").read_bytes())
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    lengths = [len(history) for history in histories]
    result = {
        "command": "benchmarks/server/run.py",
        "commit": commit.stdout.strip(),
        "device": {"machine": platform.machine(), "cores": os.cpu_count(),
                   "processor": _processor()},
        "teacher": {"model": manifest["fingerprint"], "items": manifest["items"],
                    "base_llm": manifest["provenance"].get("base_llm"),
                    "towers": manifest["towers"]},
        "load": {"clients": given.clients, "seconds": given.seconds, "rounds": given.rounds,
                 "server_threads": given.threads, "users": len(histories),
                 "mean_events": statistics.mean(lengths), "options": more},
        "agreed_answers": len(checked),
        **loads,
    }  # fmt: skip
    given.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    for name, found in loads.items():
        print(f"{name}: {found['throughput_ratio']:.2f}x throughput")
        for mode in MODES:
            row = found[mode]
            print(f"  {mode}: {row['requests_per_s']:.0f} requests/s, p50 {row['p50_ms']:.0f} ms, "
                  f"p99 {row['p99_ms']:.0f} ms")  # fmt: skip


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines() if os.name == "posix" else []
    return next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), "")


if __name__ == "__main__":
    main()
