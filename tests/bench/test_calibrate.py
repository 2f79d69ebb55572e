"""Whether a plan can become valid is said before the load, by hand."""

import pytest

from pocketrec_bench.calibrate import check_server, check_time, load_settings
from pocketrec_bench.errors import InvalidRunError
from pocketrec_bench.figures import Latency
from pocketrec_bench.plan import BenchPlan
from pocketrec_bench.queries import drawn
from pocketrec_bench.system import system_of
from pocketrec_runtime import Engine


def _latency(seconds: float) -> Latency:
    return Latency.of([seconds])


def test_queries_must_fit_into_ten_times_the_seconds() -> None:
    plan = BenchPlan()  # 60 s, 1,024 queries
    check_time(plan, _latency(600 / 1024))
    with pytest.raises(InvalidRunError, match=r"1024 queries of 0.6 s take 614 s.*--seconds 62 "):
        check_time(plan, _latency(0.6))
    check_time(BenchPlan(seconds=62), _latency(0.6))
    # Offline, 64 are answered at once.
    check_time(BenchPlan(scenario="offline"), _latency(0.6 * 60))
    # A quick run waits for half a minute.
    check_time(BenchPlan(quick=True, seconds=0.2), _latency(29 / 64))


def test_a_server_must_keep_up() -> None:
    plan = BenchPlan(scenario="server", target_latency_s=0.010)
    check_server(plan, _latency(0.004), 249.0)
    with pytest.raises(InvalidRunError, match="251 arrivals a second cannot be answered"):
        check_server(plan, _latency(0.004), 251.0)
    with pytest.raises(InvalidRunError, match="within 10 ms, and half of them take 11 ms alone"):
        check_server(plan, _latency(0.011), 5.0)


@pytest.mark.parametrize("scenario", ["single-stream", "multi-stream", "offline", "server"])
def test_a_load_knows_what_to_expect(tiny_bundle, scenario) -> None:
    engine = Engine.open(tiny_bundle)
    queries = drawn(engine.catalogue, count=9, events=4, seed=1)
    plan = BenchPlan(scenario=scenario, quick=True, streams=3, target_latency_s=9.0)
    load = load_settings(system_of("cached", engine, queries, 3), queries, plan)
    assert (load.scenario, load.seconds, load.min_queries) == (scenario, 1.0, 64)
    assert load.samples_per_query == (3 if scenario == "multi-stream" else 1)
    assert 0 < load.expected_s < 1
    assert load.target_qps > 0
    assert load.longest_s == 30.0
