"""Every peer on the same data, one after another in rounds, on one core: one table.

python benchmarks/peers/run.py [--items 100000 --items 1682] [--peers pocketrec,torch]

Environments, data and the record go to build/peers. Needs pocketrec[distill] in the interpreter
that runs it; the first run installs what the peers need, which takes some minutes.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "runtime"))

import harness

harness.one_thread()

import argparse  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import subprocess  # noqa: E402
import time  # noqa: E402
from dataclasses import dataclass, field  # noqa: E402
from typing import Any  # noqa: E402

import data  # noqa: E402
import environments  # noqa: E402
import numpy as np  # noqa: E402
from pages import put_between  # noqa: E402

ROOT = environments.HERE.parents[1]
OURS = "pocketrec, append + certified top-10"
SAME_MODEL = ("pocketrec", "ONNX Runtime", "PyTorch eager, same")
# What pocketrec is held to: items -> start of a row's name -> least ratio.
TARGETS = {
    100_000: {
        "ONNX Runtime": 2.5,
        "PyTorch eager, same": 4.0,
        "PyTorch eager, SASRec": 4.0,
        "RecTools": 100.0,
    },
    1_682: {"PyTorch eager, same": 3.0, "PyTorch eager, SASRec": 3.0},
}
TARGET_MS = {100_000: {"median_ms": 0.5, "p99_ms": 1.5}}


@dataclass
class Process:
    """A running peer, and what it has answered so far, by row."""

    name: str
    child: subprocess.Popen[str]
    about: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, list[float]] = field(default_factory=dict)
    answers: dict[str, dict[int, list[int]]] = field(default_factory=dict)

    def read(self) -> dict[str, Any]:
        """The next message; raises where the peer ended."""
        line = self.child.stdout.readline() if self.child.stdout else ""
        if not line:
            raise RuntimeError(f"{self.name} ended with code {self.child.wait()}; see above")
        message: dict[str, Any] = json.loads(line)
        return message

    def measure(self, row: str, runs: int, limit_s: float) -> None:
        """One round of one row."""
        taken = self.seconds.setdefault(row, [])
        order = {"row": row, "start": len(taken), "runs": runs, "limit_s": limit_s}
        assert self.child.stdin is not None  # noqa: S101 - opened with a pipe
        self.child.stdin.write(json.dumps(order) + "\n")
        self.child.stdin.flush()
        message = self.read()
        taken += message["seconds"]
        self.answers.setdefault(row, {}).update(dict(message["answers"]))


def start(name: str, folder: Path, envs: Path, models: Path) -> Process:
    """A peer, loaded; its data prepared."""
    spec = environments.PEERS[name]
    python = str(environments.python_of(name, spec, envs))
    variables = environments.variables(spec, ROOT, models)
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if cores:
        variables["PEER_CORE"] = str(cores[-1])
    command = [python, str(environments.HERE / spec.script), str(folder)]
    if spec.prepares:
        subprocess.run([*command, "prepare"], env=variables, check=True)
    variables["PEER_STARTED"] = str(time.time())
    child = subprocess.Popen(
        command, env=variables, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    process = Process(name, child)
    process.about = process.read()
    return process


def checked(row: str, answers: dict[int, list[int]], folder: Path) -> float | None:
    """Mean share of the exact top ten, for rows of the same model; None for other models.

    Raises:
        ValueError: An answer is not ten different items outside the history, or a row of the
            same model misses more than one item in a hundred.
    """
    histories, expected = np.load(folder / "histories.npy"), np.load(folder / "expected.npy")
    overlaps = []
    for query, items in answers.items():
        place = query % len(histories)
        if "re-ranks" in row:
            place = query % 20
        if len(set(items)) != data.K or set(items) & set(histories[place].tolist()):
            raise ValueError(f"{row}: answer {items} to query {query} is not ten unseen items")
        overlaps.append(len(set(items) & set(expected[place].tolist())) / data.K)
    if not row.startswith(SAME_MODEL):
        return None
    overlap = float(np.mean(overlaps))
    if overlap < 0.99:
        raise ValueError(f"{row}: overlap with the exact top ten is {overlap:.3f}; at least 0.99")
    return overlap


def compare(items: int, names: list[str], build: Path, envs: Path, rounds: int) -> dict[str, Any]:
    """All rows of all peers at one catalogue size."""
    folder = build / f"data-{items}"
    data.make(folder, items)
    running = [start(name, folder, envs, build / "models") for name in names]
    for warm in (True, False):
        for _ in range(1 if warm else rounds):
            for process in running:
                limit = environments.PEERS[process.name].seconds
                for row in process.about["rows"]:
                    process.measure(row, runs=400, limit_s=limit)
        if warm:
            for process in running:
                process.seconds.clear()
    rows = {}
    for process in running:
        about = {key: value for key, value in process.about.items() if key != "rows"}
        for row in process.about["rows"]:
            rows[row] = {
                **harness.timing(process.seconds[row]).as_dict(),
                "overlap": checked(row, process.answers[row], folder),
                **about,
            }
        if process.child.stdin:
            process.child.stdin.close()
        process.child.wait(timeout=60)
    for values in rows.values():
        values["ratio"] = values["median_ms"] / rows[OURS]["median_ms"] if OURS in rows else None
    return rows


def table(items: int, rows: dict[str, Any]) -> str:
    """The rows in Markdown."""
    head = "fastest ms | median | p95 | p99 | runs | ratio | overlap"
    head += " | import s | cold start s | peak MiB"
    lines = [f"| {items:,} items x {data.WIDTH}, history {data.HISTORY} | {head} |"]
    lines.append("|" + " --- |" * 11)
    for name, row in rows.items():
        overlap = "" if row["overlap"] is None else f"{row['overlap']:.3f}"
        ratio = "" if row["ratio"] is None else f"{row['ratio']:.3g}"
        lines.append(
            f"| {name} | {row['best_ms']:.3f} | {row['median_ms']:.3f} | {row['p95_ms']:.3f} | "
            f"{row['p99_ms']:.3f} | {row['runs']} | {ratio} | {overlap} | {row['import_s']:.2f} | "
            f"{row['cold_start_s']:.2f} | {row['peak_memory_mb']:.0f} |"
        )
    return "\n".join(lines)


def verdicts(items: int, rows: dict[str, Any]) -> list[str]:
    """What pocketrec is held to, met or not."""
    lines = []
    for key, most in TARGET_MS.get(items, {}).items():
        if OURS in rows:
            met = "met" if rows[OURS][key] <= most else "MISSED"
            lines.append(f"{met}: {key} {rows[OURS][key]:.3f}, at most {most}")
    for begin, least in TARGETS.get(items, {}).items():
        for name, row in rows.items():
            if name.startswith(begin) and row["ratio"] is not None:
                met = "met" if row["ratio"] >= least else "MISSED"
                lines.append(f"{met}: {name} takes {row['ratio']:.1f} times as long, {least} asked")
    return lines


def figures(record: dict[str, Any]) -> str:
    """What the README shows of a record: where and when, versions, tables and verdicts."""
    device, results = record["device"], record["results"]
    versions: dict[str, str] = {}
    for rows in results.values():
        for row in rows.values():
            packages = ", ".join(f"{name} {version}" for name, version in row["versions"].items())
            versions[packages] = ""
    parts = [
        f"Commit {harness.commit()[:12]}; {device['cpu']}, {device['cores']} cores, "
        f"{', '.join(device['instructions'])}, Python {device['python']}, one thread a peer; "
        f"load average {device['load_average']} before and {record['load_average_after']} after.",
        "Versions: " + "; ".join(versions) + ".",
    ]
    for items, rows in results.items():
        parts.append(table(int(items), rows))
        if lines := verdicts(int(items), rows):
            parts.append("\n".join(f"- {line}" for line in lines))
    return "\n\n".join(parts)


def write_figures(page: Path, text: str) -> None:
    """Put the text between the page's marks.

    Raises:
        ValueError: The page has no marks.
    """
    put_between(page, "<!-- figures -->", "<!-- end figures -->", text)


def main() -> None:
    """Measure, print tables and verdicts, write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, action="append", help="catalogue size; repeat it")
    parser.add_argument("--peers", default=",".join(environments.PEERS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "peers")
    parser.add_argument("--envs", type=Path, help="environments; BUILD/envs where not given")
    parser.add_argument("--write-readme", action="store_true", help="put the tables there")
    arguments = parser.parse_args()
    names = arguments.peers.split(",")
    record: dict[str, Any] = {"benchmark": "peers", "device": harness.device(), "results": {}}
    for items in arguments.items or [100_000, 1_682]:
        envs = arguments.envs or arguments.build / "envs"
        rows = compare(items, names, arguments.build, envs, arguments.rounds)
        record["results"][str(items)] = rows
        print(table(items, rows), end="\n\n")
        print(*verdicts(items, rows), sep="\n", end="\n\n")
    record["load_average_after"] = round(os.getloadavg()[0], 2)
    if arguments.write_readme:
        write_figures(environments.HERE / "README.md", figures(record))
    path = arguments.build / "peers.json"
    harness.write_record(path, record)
    print(f"record: {path}", file=sys.stderr)


if __name__ == "__main__":
    main()
