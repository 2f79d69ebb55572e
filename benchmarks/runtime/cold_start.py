"""Cold start: a fresh process imports, opens a bundle of 100,000 items and answers once.

python benchmarks/runtime/cold_start.py [--bundle PATH] [--items N] [--runs N] [--json FILE]

Every figure is of processes of their own, started in turn; files are in the page cache, as they
are after an installation. Limits: 0.5 s from import to the first answer, and 40 MB more resident
memory than a process that imports NumPy and ONNX Runtime only.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import harness

LIMIT_S, LIMIT_MB = 0.5, 40.0

CHILD = """
import json, sys, time
start, cpu = time.perf_counter(), time.process_time()

def resident_mb():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * RESOURCE_PAGE / 2**20

import numpy, onnxruntime
peers, base_mb = time.perf_counter(), resident_mb()
import pocketrec_runtime
imported = time.perf_counter()
engine = pocketrec_runtime.Engine.open(sys.argv[1])
opened = time.perf_counter()
history = list(engine.catalogue.ids[:30])
asked = time.perf_counter()
answer = engine.recommend(history, k=10)
answered = time.perf_counter()
assert len(answer.items) == 10 and answer.source == "device"
print(json.dumps({
    "numpy_onnxruntime_s": peers - start, "import_s": imported - peers,
    "open_s": opened - imported, "answer_s": answered - asked,
    "total_s": answered - start, "cpu_s": time.process_time() - cpu,
    "base_mb": base_mb, "more_mb": resident_mb() - base_mb,
}))
""".replace("RESOURCE_PAGE", str(os.sysconf("SC_PAGE_SIZE")))


def main() -> None:
    """Runs the processes and prints what they say."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bundle = options.bundle
        if bundle is None:
            from made_bundle import made_up_bundle

            bundle = Path(folder) / "bundle"
            made_up_bundle(bundle, options.items)
        runs = [_run(bundle) for _ in range(options.runs + 1)][1:]  # the first fills the page cache
    median = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
    best = {key: min(run[key] for run in runs) for key in runs[0]}
    print(f"{'':22}{'median':>10}{'best':>10}")
    for key, value in median.items():
        print(f"{key:22}{value:10.3f}{best[key]:10.3f}")
    for key, limit in (("total_s", LIMIT_S), ("more_mb", LIMIT_MB)):
        print(f"{key} {'within' if median[key] <= limit else 'ABOVE'} the limit of {limit}")
    record = {"median": median, "best": best, "runs": runs, "device": harness.device()}
    print(json.dumps(record["device"]))
    if options.json:
        harness.write_record(options.json, record)


def _run(bundle: Path) -> dict[str, float]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(bundle)],
        env=environment, check=True, capture_output=True, text=True,
    )  # fmt: skip
    answer: dict[str, float] = json.loads(done.stdout)
    return answer


if __name__ == "__main__":
    main()
