"""The exact scan beside this machine's memory limit and beside other ways to find the best items.

    python benchmarks/runtime/scan.py --json build/scan.json

One thread. For each size: the time to read the rows at the bandwidth measured in the same run, the
coarse pass, the certified top-10, and those peers that are installed (faiss, usearch, simsimd,
numkong; NumPy always is). Calls take turns, so that ratios stand also on a noisy machine. Every
answer of ours is compared with brute force; a peer's answer is counted against it.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
import harness

harness.one_thread()

import numpy as np  # noqa: E402 - after the number of threads is set
import scan_peers  # noqa: E402
from numpy.typing import NDArray  # noqa: E402

from pocketrec_runtime import Catalogue, quantize_rows  # noqa: E402
from pocketrec_runtime.scan import Scan, best  # noqa: E402
from pocketrec_runtime.scan.fixed import fix  # noqa: E402

K = 10
QUERIES = 32
READ, COARSE, SCAN = "read the rows", "pocketrec, coarse pass", "pocketrec, certified top-10"


def made_up(items: int, width: int, *, biased: bool, seed: int = 7) -> Catalogue:
    """A catalogue of random rows whose norms differ, as norms of trained items do."""
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((items, width), np.float32)
    vectors *= rng.uniform(0.5, 1.5, (items, 1)).astype(np.float32)
    rows, scales = quantize_rows(vectors)
    bias = rng.standard_normal(items, np.float32) if biased else np.zeros(items, np.float32)
    shares = np.zeros(items, np.float32)
    ids = [str(index) for index in range(items)]
    return Catalogue(ids, rows, scales, bias, shares, {"title": [None] * items})


def check(scan: Scan, queries: NDArray[np.float32]) -> tuple[list[NDArray[np.int64]], float]:
    """The true best items of each query, and the mean count of rows scored exactly.

    Raises:
        SystemExit: An answer is not that of brute force.
    """
    truth, rescored = [], []
    for query in queries:
        found = scan.top_k(query, K)
        indices, scores = best(scan.scores(query), K)
        if found.indices.tolist() != indices.tolist() or found.scores.tolist() != scores.tolist():
            raise SystemExit(f"wrong answer: {found.indices} is not {indices}")
        truth.append(indices)
        rescored.append(found.rescored)
    return truth, float(np.mean(rescored))


class Turn:
    """Calls a search with the next query each time."""

    def __init__(self, search: Callable[[Any], object], queries: Any) -> None:
        self._search, self._queries, self._at = search, queries, 0

    def __call__(self) -> object:
        """One search."""
        self._at = (self._at + 1) % len(self._queries)
        return self._search(self._queries[self._at])


def measure(items: int, width: int, arguments: argparse.Namespace, limit: float) -> dict[str, Any]:
    """One row of the table: timings of all contestants for one size."""
    catalogue = made_up(items, width, biased=arguments.biased)
    queries = np.random.default_rng(1).standard_normal((QUERIES, width), np.float32)
    scan = Scan(catalogue)
    truth, rescored = check(scan, queries)
    words = np.ascontiguousarray(catalogue.rows).reshape(-1).view(np.uint64)
    calls: dict[str, Callable[[], object]] = {READ: words.sum, SCAN: Turn(
        lambda query: scan.top_k(query, K), queries
    )}  # fmt: skip
    coarse = scan.coarse
    if coarse is not None:
        calls[COARSE] = Turn(coarse.bounds, [[fix(query)] for query in queries])
    overlaps: dict[str, float] = {}
    if not (arguments.no_peers or arguments.biased):
        for name, search in scan_peers.searches(catalogue, K).items():
            hits = [
                len(set(search(q).tolist()) & set(t.tolist()))
                for q, t in zip(queries, truth, strict=True)
            ]
            overlaps[name] = float(np.mean(hits)) / K
            calls[name] = Turn(search, queries)
    runs = max(3, min(100, 20_000_000 // (items * width)))
    timings = harness.interleave(calls, rounds=arguments.rounds, runs=runs, warmup=3)
    return {
        "items": items,
        "width": width,
        "biased": arguments.biased,
        "rows_mb": catalogue.rows.nbytes / 1e6,
        "memory_limit_ms": catalogue.rows.nbytes / limit / 1e6,
        "rescored_rows": rescored,
        "timings": {name: timing.as_dict() for name, timing in timings.items()},
        "top_10_shared_with_exact": overlaps,
    }


def show(result: dict[str, Any]) -> None:
    """Prints one size as a table."""
    base = result["timings"][SCAN]["median_ms"]
    print(
        f"\n{result['items']:,} x {result['width']} ({result['rows_mb']:.1f} MB): memory limit "
        f"{result['memory_limit_ms']:.3f} ms; {result['rescored_rows']:.0f} rows rescored"
    )
    print(f"  {'':34}{'best':>9}{'median':>9}{'p95':>9}{'p99':>9}{'x ours':>8}  same top-10")
    for name, timing in result["timings"].items():
        numbers = "".join(
            f"{timing[key]:9.3f}" for key in ("best_ms", "median_ms", "p95_ms", "p99_ms")
        )
        shared = result["top_10_shared_with_exact"].get(name)
        print(
            f"  {name:34}{numbers}{timing['median_ms'] / base:8.2f}"
            + ("" if shared is None else f"  {shared:.1%}")
        )


def main() -> None:
    """Measures every size, prints it, and writes the record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--items", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--widths", type=int, nargs="+", default=[64, 128])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--biased", action="store_true", help="items have biases; without peers")
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    limit = harness.read_bandwidth_gb_s()
    print(f"memory: {limit:.1f} GB/s read by one thread")
    results = []
    for width in arguments.widths:
        for items in arguments.items:
            results.append(measure(items, width, arguments, limit))
            show(results[-1])
    if arguments.json:
        packages = ["numpy", "onnxruntime", *scan_peers.PACKAGES]
        record = {
            "benchmark": "scan",
            "device": harness.device(),
            "packages": harness.versions(packages),
            "bandwidth_gb_s": limit,
            "results": results,
        }
        harness.write_record(arguments.json, record)


if __name__ == "__main__":
    main()
