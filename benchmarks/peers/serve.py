"""One peer in a process of its own: loads, answers once, then answers rounds on request.

Speaks JSON lines: {"row", "start", "runs", "limit_s"} comes in on stdin, {"seconds", "answers"}
goes out. What libraries print goes to stderr.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import harness

Answer = Callable[[int], Sequence[int]]


@dataclass(frozen=True)
class Peer:
    """What a peer offers.

    Attributes:
        rows: Name -> the top ten items for query i; the first one gives the cold start.
        packages: Distributions whose versions are reported.
        warm: Called after the cold start, before anything is timed.
        note: What a reader must know of these rows.
    """

    rows: Mapping[str, Answer]
    packages: Sequence[str]
    warm: Callable[[], None] = lambda: None
    note: str = ""


def serve(imports: Callable[[], None], load: Callable[[Path], Peer]) -> None:
    """Run until stdin ends.

    Args:
        imports: Imports the peer's packages; timed.
        load: Opens what the folder holds.
    """
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    if hasattr(os, "sched_setaffinity") and "PEER_CORE" in os.environ:
        os.sched_setaffinity(0, {int(os.environ["PEER_CORE"])})
    start = time.perf_counter()
    imports()
    import_s = time.perf_counter() - start
    peer = load(Path(sys.argv[1]))
    first = next(iter(peer.rows.values()))
    first(0)
    cold_s = time.time() - float(os.environ["PEER_STARTED"])
    peak_mb = harness.peak_memory_mb()
    peer.warm()
    _say(
        out,
        rows=list(peer.rows),
        import_s=import_s,
        cold_start_s=cold_s,
        peak_memory_mb=peak_mb,
        versions=harness.versions(peer.packages),
        note=peer.note,
    )
    for line in sys.stdin:
        order = json.loads(line)
        _say(out, **_round(peer.rows[order["row"]], order))


def _round(answer: Answer, order: Mapping[str, float]) -> dict[str, list[object]]:
    seconds, answers = [], []
    ends = time.perf_counter() + order["limit_s"]
    for query in range(int(order["start"]), int(order["start"] + order["runs"])):
        start = time.perf_counter()
        found = answer(query)
        seconds.append(time.perf_counter() - start)
        answers.append([query, [int(item) for item in found]])
        if time.perf_counter() > ends:
            break
    return {"seconds": seconds, "answers": answers}


def _say(out, **message: object) -> None:  # noqa: ANN001 - a text stream
    out.write(json.dumps(message) + "\n")
    out.flush()
