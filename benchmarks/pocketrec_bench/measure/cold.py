"""Cold start and memory, each in a fresh process.

Pages of the bundle's files are in the system's file cache, as after an earlier start.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median_low
from typing import Any

from pocketrec_bench.errors import BenchError
from pocketrec_bench.figures import Latency, Memory
from pocketrec_runtime.towers.settings import RunSettings

_LONGEST_S = 600


@dataclass(frozen=True)
class ColdStarts:
    """What fresh processes took.

    Attributes:
        imports: Importing the runtime and the backend's package.
        open_verify: `Engine.open`: hashes, models, self-test.
        first_answer: The first `recommend` after that.
        memory: Of the process with the median resident size.
    """

    imports: Latency
    open_verify: Latency
    first_answer: Latency
    memory: Memory


def cold_starts(
    bundle: Path, run: RunSettings, histories: Sequence[Sequence[str]], repeats: int
) -> ColdStarts:
    """Starts `repeats` processes, one after the other.

    Args:
        bundle: Its path.
        run: Backend, devices, threads.
        histories: Item ids; the first is the first answer, the others follow for one user each.
        repeats: How many processes.

    Raises:
        BenchError: A process fails.
    """
    task = json.dumps({"bundle": str(bundle), "run": run.as_dict(), "histories": histories})
    found = [_started(task) for _ in range(repeats)]
    memories = [Memory(**each["memory"]) for each in found]
    middle = median_low(sorted(memory.resident_bytes for memory in memories))
    return ColdStarts(
        imports=Latency.of([each["imports_s"] for each in found]),
        open_verify=Latency.of([each["open_s"] for each in found]),
        first_answer=Latency.of([each["first_s"] for each in found]),
        memory=next(each for each in memories if each.resident_bytes == middle),
    )


def _started(task: str) -> dict[str, Any]:
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "pocketrec_bench.measure.cold_process"],
            input=task,
            capture_output=True,
            text=True,
            timeout=_LONGEST_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"a cold start took more than {_LONGEST_S} s") from error
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise BenchError(f"a cold start ended with {done.returncode}: {lines[-1]}")
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures
