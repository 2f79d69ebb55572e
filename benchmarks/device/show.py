"""Full valid runs of one student in several precisions, each in a process of its own.

    python benchmarks/device/show.py BUNDLE --interactions TABLE --out FOLDER

Makes the bundles (`variants.py`), then calls `pocketrec bench run` for each precision and division,
held to the float32 bundle's answers on held-out events. A run whose result is not valid is done
again, at most `--tries` times; what the last one says is kept.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from pocketrec_bench.results import Result, from_json

DIVISIONS = ("cached", "uncached")
PRECISIONS = "onnx-fp32,onnx-int8,gguf-Q8_0"
REFERENCE = "onnx-fp32"


def run(given: argparse.Namespace, name: str, division: str) -> Result:
    """One run of one bundle, and what it measured.

    Raises:
        CalledProcessError: It ended with anything but "done" and "not valid".
    """
    out = given.out / f"{name}-{division}"
    command = [
        sys.executable, "-m", "pocketrec", "bench", "run", str(bundle_of(given.out, name)),
        "--division", division, "--interactions", str(given.interactions),
        "--reference", str(bundle_of(given.out, REFERENCE)), "--out", str(out),
    ]  # fmt: skip
    for _ in range(given.tries):
        done = subprocess.run(command, check=False)
        if done.returncode not in (0, 7):
            raise subprocess.CalledProcessError(done.returncode, command)
        if done.returncode == 0:
            break
    return from_json((out / "result.json").read_bytes(), f"{out.name}/result.json")


def bundle_of(folder: Path, name: str) -> Path:
    """Where a precision's bundle lies."""
    return folder / "bundles" / f"{name}.bundle"


def make_bundles(given: argparse.Namespace) -> None:
    """The bundles of every precision, where they are not there yet."""
    if bundle_of(given.out, REFERENCE).exists():
        return
    script = Path(__file__).with_name("variants.py")
    subprocess.run(
        [sys.executable, str(script), str(given.bundle), "--out", str(given.out / "bundles")],
        check=True,
    )


def row(name: str, result: Result) -> str:
    """A result as a row of a Markdown table."""
    latency, stages, accuracy = result.latency, result.stages, result.accuracy
    figures = [f"{value * 1e3:.3f}" for value in (latency.p50_s, latency.p90_s, latency.p99_s)]
    figures += [
        f"{value.p50_s * 1e3:.3f}" for value in (stages.prefill, stages.append, stages.scan)
    ]
    quality = "" if accuracy is None else f"{accuracy.value:.4f} ({accuracy.ratio:.2%})"
    cells = [
        name, result.settings.division, *figures, f"{result.throughput_qps:,.0f}",
        f"{result.memory.resident_bytes / 1e6:.1f}", f"{result.subject.disk_bytes / 1e6:.2f}",
        quality, "yes" if result.valid else "; ".join(result.reasons),
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Read the arguments, run what is asked for, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--interactions", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--precisions", default=PRECISIONS)
    parser.add_argument("--tries", type=int, default=2)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    make_bundles(given)
    rows = [
        row(name, run(given, name, division))
        for name in given.precisions.split(",")
        for division in DIVISIONS
    ]
    head = "precision|division|p50, ms|p90|p99|prefill|append|scan|histories/s|MB resident|MB disk"
    head += "|NDCG@10 (of fp32)|valid"
    names = head.split("|")
    print("\n".join([f"| {' | '.join(names)} |", "| --- " * len(names) + "|", *rows]))


if __name__ == "__main__":
    main()
