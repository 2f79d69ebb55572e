"""From a plan to a load: how long a query takes here, and whether the plan can become valid."""

import math
from time import perf_counter_ns

from pocketrec_bench.errors import InvalidRunError
from pocketrec_bench.figures import Latency
from pocketrec_bench.loadgen import BATCH, LoadSettings
from pocketrec_bench.plan import BenchPlan
from pocketrec_bench.queries import Queries
from pocketrec_bench.system import System

LONGEST_FACTOR = 10
"""A load is not begun, or is given up, that lasts so many times the seconds asked for."""

SHORTEST_PATIENCE_S = 30.0
"""But never so early: a quick run on a busy machine may take its time."""

_QUERIES, _WARM = 128, 16
_SLACK = 0.6
"""LoadGen makes its queries ahead, by the latency that it is told: told too long, it runs out."""


def load_settings(system: System, queries: Queries, plan: BenchPlan) -> LoadSettings:
    """The load of a plan on this device, queries warmed up and timed first.

    Raises:
        InvalidRunError: It cannot become valid in its time.
    """
    samples = list(range(min(len(queries), _QUERIES)))
    system.load(samples)
    latency = _timed(system, samples, plan)
    system.unload()
    check_time(plan, latency)
    if plan.scenario == "offline":
        target_qps = BATCH / latency.min_s / _SLACK
    else:
        target_qps = plan.target_qps or 0.5 / latency.p50_s
    if plan.scenario == "server":
        check_server(plan, latency, target_qps)
    return LoadSettings(
        scenario=plan.scenario,
        seconds=plan.load_seconds,
        min_queries=plan.load_queries,
        samples_per_query=plan.samples_per_query,
        expected_s=latency.min_s * _SLACK,
        target_qps=target_qps,
        target_latency_s=plan.target_latency_s,
        longest_s=longest_s(plan),
    )


def longest_s(plan: BenchPlan) -> float:
    """When a load is given up."""
    return max(LONGEST_FACTOR * plan.load_seconds, SHORTEST_PATIENCE_S)


def check_time(plan: BenchPlan, latency: Latency) -> None:
    """Returns where the least number of queries fits into ten times the plan's seconds.

    Raises:
        InvalidRunError: It does not.
    """
    batch = BATCH if plan.scenario == "offline" else 1
    needed = plan.load_queries / batch * latency.p50_s
    longest = longest_s(plan)
    if needed > longest:
        raise InvalidRunError(
            f"{plan.load_queries} queries of {latency.p50_s:.3g} s take {needed:.0f} s; a load of "
            f"{plan.load_seconds:g} s is given up after {longest:g} s; give "
            f"--seconds {math.ceil(needed / LONGEST_FACTOR)} or more"
        )


def check_server(plan: BenchPlan, latency: Latency, target_qps: float) -> None:
    """Returns where arrivals at this rate can be answered in time.

    Raises:
        InvalidRunError: They come faster than one after the other is answered, or even a query
            that waits for no other takes longer than allowed.
    """
    reached = 1 / latency.p50_s
    if target_qps >= reached:
        raise InvalidRunError(
            f"{target_qps:.0f} arrivals a second cannot be answered: one takes "
            f"{latency.p50_s * 1e3:.3g} ms, which is {reached:.0f} a second; lower --target-qps"
        )
    if latency.p50_s > plan.target_latency_s:
        raise InvalidRunError(
            f"99% of the queries must be answered within {plan.target_latency_s * 1e3:g} ms, and "
            f"half of them take {latency.p50_s * 1e3:.3g} ms alone; raise --target-latency-ms"
        )


def _timed(system: System, samples: list[int], plan: BenchPlan) -> Latency:
    """Latencies of queries as the scenario issues them, after some that warm up."""
    times: list[float] = []
    size = {"offline": BATCH, "multi-stream": plan.streams}.get(plan.scenario, 1)
    end = perf_counter_ns() + plan.effort.calibrate_seconds * 1e9
    at = 0
    while len(times) < _QUERIES + _WARM and (perf_counter_ns() < end or not times):
        query = [samples[(at + place) % len(samples)] for place in range(size)]
        at += size
        begun = perf_counter_ns()
        if plan.scenario in ("single-stream", "server"):
            system.answer(query[0])
        else:
            system.answer_many(query)
        times.append((perf_counter_ns() - begun) / 1e9)
    return Latency.of(times[min(_WARM, len(times) - 1) :])
