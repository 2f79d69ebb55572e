"""A result with every field filled in, by hand."""

from pathlib import Path

import pytest

from pocketrec_bench import figures, results


def _latency(fastest: float, count: int = 5) -> figures.Latency:
    return figures.Latency.of([fastest * factor for factor in range(1, count + 1)])


@pytest.fixture
def result() -> results.Result:
    """A valid result of a cached single-stream run; every time is made up, none is repeated."""
    return results.Result(
        measured_at="2026-03-01T12:00:00Z",
        subject=results.Subject("films.bundle", "ab" * 32, 1682, 128, 2, 50, 2_402_113),
        settings=results.Settings(
            scenario="single-stream",
            division="cached",
            backend="onnx",
            devices=("cpu",),
            weights="float32",
            rows="int8",
            cache="float32",
            threads=1,
            k=10,
            history_events=49,
            samples=943,
            queries_from="interactions",
            seconds=60.0,
            min_queries=1024,
            samples_per_query=1,
            target_qps=None,
            target_latency_s=None,
            seed=7,
            quick=False,
        ),
        latency=_latency(1.1e-4),
        duration_s=60.01,
        throughput_qps=7150.5,
        loadgen=figures.LoadGenRun(
            "6.0.17", True, (), 429_030, 1.4e-4, 1.8e-4, 3.1e-4, 1.9e-4, 3.2e-4
        ),
        stages=figures.Stages(
            imports=_latency(0.11, 3),
            open_verify=_latency(0.05, 3),
            first_answer=_latency(9e-4, 3),
            prefill=_latency(2.1e-4),
            append=_latency(8.1e-5),
            scan=_latency(4.2e-5),
            end_to_end=_latency(3.3e-4),
        ),
        slices=(figures.Slice(0.0, 7100, 1.2e-4, 1.8e-4), figures.Slice(1.0, 7200, 1.3e-4, 1.7e-4)),
        sustained=figures.Sustained(30.0, 1.25e-4, 1.3e-4, 1.04, False, 0, 2600.0, 2590.5),
        memory=figures.Memory(61_000_000, 93_000_000, 101_000_000),
        energy=figures.Energy("powercap intel-rapl:0", 912.5, 0.0021),
        accuracy=figures.Accuracy(
            943, "ndcg@10", 0.1261, 0.1262, 0.9992, 0.99, 0.998, "float32", 0.12616, True
        ),
        bandwidth=figures.Bandwidth(3.1e10, 1_799_728, 1.4e10, 0.45),
        overhead=figures.Overhead(6e-8, 1.1e-6, 4.2e-5, 0.0014, 0.05),
        load=figures.Load(0.4, 0.05, 1.05, 0.002, 0.02),
        valid=True,
        reasons=(),
    )


@pytest.fixture(scope="session")
def golden_bundle() -> Path:
    """40 items, a window of 12, the user tower in ONNX and in GGUF; read only."""
    return Path(__file__).parents[1] / "golden" / "v1_1" / "rings"
