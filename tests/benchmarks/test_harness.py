"""The harness that every benchmark script shares: quantiles by hand, a real clock, a real git."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import load

ROOT = Path(__file__).resolve().parents[2]


harness = load("runtime/harness.py")


def test_quantiles_of_a_hundred_times() -> None:
    times = harness.timing([value / 1000 for value in range(100, 0, -1)])
    assert times.as_dict() == pytest.approx(
        {"runs": 100, "median_ms": 50, "p95_ms": 95, "p99_ms": 99, "best_ms": 1}
    )


def test_quantiles_of_three_times() -> None:
    times = harness.timing([0.003, 0.001, 0.002])
    assert (times.median_ms, times.p95_ms, times.best_ms) == pytest.approx((2, 3, 1))


def test_no_times_are_refused() -> None:
    with pytest.raises(ValueError, match="at least once"):
        harness.timing([])


def test_measure_counts_and_leaves_the_warm_up_out(monkeypatch: pytest.MonkeyPatch) -> None:
    now, slow_first = [0.0], iter([0.05, 0.05, 0.002, 0.001, 0.004, 0.003])
    monkeypatch.setattr(harness.time, "perf_counter", lambda: now[0])

    def call() -> None:
        now[0] += next(slow_first)

    times = harness.measure(call, runs=4, warmup=2)
    assert times.as_dict() == pytest.approx(
        {"runs": 4, "median_ms": 2, "p95_ms": 4, "p99_ms": 4, "best_ms": 1}
    )


def test_interleaved_calls_take_turns() -> None:
    order = []
    calls = {name: lambda name=name: order.append(name) for name in ("a", "b")}
    times = harness.interleave(calls, rounds=2, runs=3, warmup=1)
    assert {name: value.runs for name, value in times.items()} == {"a": 6, "b": 6}
    assert "".join(order) == "ab" + ("aaaa" + "bbbb") * 2


def test_the_record_says_commit_and_time(tmp_path: Path) -> None:
    path = tmp_path / "out" / "record.json"
    harness.write_record(path, {"device": harness.device(), "ratio": 2.5})
    record = json.loads(path.read_text())
    assert list(record) == ["commit", "measured_at", "device", "ratio"]
    assert record["device"]["threads"] == 1
    assert record["device"]["memory_gb"] > 0
    with pytest.raises(ValueError, match="JSON"):
        harness.write_record(path, {"ratio": float("nan")})


def test_the_commit_of_a_checkout_and_of_none(tmp_path: Path) -> None:
    assert harness.commit(tmp_path) == "unknown"
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b.example"]
    subprocess.run([*git, "init", "-q"], check=True)
    (tmp_path / "file").write_text("one")
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-qm", "one"], check=True)
    clean = harness.commit(tmp_path)
    assert len(clean) == 40
    (tmp_path / "file").write_text("two")
    assert harness.commit(tmp_path) == f"{clean}-dirty"


def test_bandwidth_and_versions_are_real() -> None:
    assert 0.1 < harness.read_bandwidth_gb_s(size_mb=16, runs=2) < 2000
    assert set(harness.versions(["numpy", "no-such-package-here"])) == {"numpy"}
    assert harness.peak_memory_mb() > 16


def test_peak_memory_is_of_this_process_alone() -> None:
    """A child that holds nothing reports less than its parent, which holds 64 MiB more."""
    kept = bytearray(64 * 2**20)
    code = "import harness; print(harness.peak_memory_mb())"
    folder = ROOT / "benchmarks" / "runtime"
    child = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True
    )
    assert 4 < float(child.stdout) < harness.peak_memory_mb() - 32
    assert len(kept) == 64 * 2**20
