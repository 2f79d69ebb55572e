"""MLPerf's LoadGen drives a system: its scenarios, seeds, early stopping and verdict.

LoadGen issues queries and times them itself; the harness times each too, because LoadGen keeps
quantiles only, and an answer's time over the run is needed for plots and intervals. LoadGen keeps
one test at a time, so that these calls must not overlap within a process.

Rules: https://github.com/mlcommons/inference_policies (Reddi et al., MLPerf Inference Benchmark,
ISCA 2020).
"""

import queue
import threading
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketrec_bench.errors import BenchError
from pocketrec_bench.figures import LoadGenRun
from pocketrec_bench.interrupts import HeldInterrupt
from pocketrec_bench.logs import read_answers, read_verdict
from pocketrec_bench.results import Scenario
from pocketrec_bench.system import EmptySystem, System
from pocketrec_runtime.errors import MissingExtraError

BATCH = 64
"""Histories that an offline query is answered in at a time: what `prefill_many` runs at once."""

# MLPerf Inference 6.0's, which LoadGen 6.0.17 carries in its mlperf.conf.
_QSL_SEED = 2085463073848966840
_SAMPLE_SEED = 2747215439041700203
_SCHEDULE_SEED = 16159082839903944936

_LOOK_S = 0.25
"""How long an interrupt may go unseen."""

_SCENARIOS = {
    "single-stream": "SingleStream",
    "multi-stream": "MultiStream",
    "offline": "Offline",
    "server": "Server",
}


@dataclass(frozen=True)
class LoadSettings:
    """One load, in LoadGen's terms.

    Attributes:
        scenario: How queries arrive.
        seconds: Least time.
        min_queries: Least number of queries.
        samples_per_query: In multi-stream.
        expected_s: A latency that queries hardly undercut; LoadGen makes its queries ahead by it.
        target_qps: Arrivals a second in server, expected samples a second in offline.
        target_latency_s: In server.
        longest_s: When LoadGen gives up.
    """

    scenario: Scenario
    seconds: float
    min_queries: int
    samples_per_query: int = 1
    expected_s: float = 1e-3
    target_qps: float = 1.0
    target_latency_s: float = 0.010
    longest_s: float = 0.0


@dataclass(frozen=True)
class LoadRecord:
    """What a load took.

    Attributes:
        latencies_s: float64 (queries,), in the order of completion: of a query; offline of a
            batch; server from arrival to completion.
        ends_s: float64 (queries,), when each ended, since the first was issued.
        samples: Histories that were answered.
        loadgen: LoadGen's account.
    """

    latencies_s: NDArray[np.float64]
    ends_s: NDArray[np.float64]
    samples: int
    loadgen: LoadGenRun


@dataclass
class _Recorder:
    """Times of queries, kept as numbers and not as objects."""

    started_ns: int = 0
    latencies_ns: "array[int]" = field(default_factory=lambda: array("q"))
    ends_ns: "array[int]" = field(default_factory=lambda: array("q"))
    samples: int = 0
    error: Exception | None = None
    interrupt: HeldInterrupt = field(default_factory=HeldInterrupt)

    @property
    def over(self) -> bool:
        """Whether what is left of the load is only to be got over with."""
        return self.error is not None or self.interrupt.held

    def add(self, begun_ns: int, ended_ns: int, samples: int) -> None:
        if not self.started_ns:
            self.started_ns = begun_ns
        self.latencies_ns.append(ended_ns - begun_ns)
        self.ends_ns.append(ended_ns - self.started_ns)
        self.samples += samples


def require_loadgen() -> Any:
    """LoadGen's module.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        import mlperf_loadgen  # noqa: PLC0415 - belongs to an extra
    except ImportError as error:
        raise MissingExtraError("mlcommons-loadgen", "bench") from error
    return mlperf_loadgen


def run_load(system: System, total: int, settings: LoadSettings, folder: Path) -> LoadRecord:
    """Drives a system in a scenario and returns what it took.

    Args:
        system: What answers.
        total: Samples that there are; all are loaded.
        settings: The load.
        folder: Where LoadGen writes its logs.

    Raises:
        MissingExtraError: LoadGen is not installed.
        BenchError: LoadGen's logs do not say what they should.
        Exception: Whatever the system raised while it answered.
    """
    lg = require_loadgen()
    test = _settings(lg, settings)
    recorder = _Recorder()
    if settings.scenario == "server":
        with _Worker(lg, system, recorder) as worker:
            _start(lg, test, system, total, folder, worker.issue, recorder)
    else:
        issue = _issuer(lg, system, recorder, settings)
        _start(lg, test, system, total, folder, issue, recorder)
    if not recorder.samples:
        raise BenchError("LoadGen issued no query; look into its logs (--out keeps them)")
    return LoadRecord(
        np.frombuffer(recorder.latencies_ns, np.int64) / 1e9,
        np.frombuffer(recorder.ends_ns, np.int64) / 1e9,
        recorder.samples,
        read_verdict(folder),
    )


def run_accuracy(system: System, total: int, folder: Path) -> list[tuple[int, ...]]:
    """The answer to every sample, each issued once, as LoadGen's accuracy log holds it.

    Raises:
        MissingExtraError: LoadGen is not installed.
        BenchError: The log does not hold one answer for each.
        Exception: Whatever the system raised while it answered.
    """
    lg = require_loadgen()
    test = _settings(lg, LoadSettings("offline", 0.0, 1))
    test.mode = lg.TestMode.AccuracyOnly
    recorder = _Recorder()

    def issue(samples: Sequence[Any]) -> None:
        for batch in _batches(samples):
            if recorder.over:
                lg.QuerySamplesComplete([_empty(lg, sample) for sample in batch])
                continue
            try:
                answers = [system.answer(sample.index) for sample in batch]
            except Exception as error:  # noqa: BLE001 - LoadGen's thread cannot carry it
                recorder.error = error
                answers = [np.empty(0, np.int64)] * len(batch)
            kept = [np.ascontiguousarray(answer, "<i4") for answer in answers]
            lg.QuerySamplesComplete(
                [
                    lg.QuerySampleResponse(sample.id, answer.ctypes.data, answer.nbytes)
                    for sample, answer in zip(batch, kept, strict=True)
                ]
            )

    _start(lg, test, system, total, folder, issue, recorder)
    return read_answers(folder, total)


def empty_query_s(seconds: float, folder: Path) -> float:
    """Median latency of a query that does nothing, through LoadGen and the harness."""
    settings = LoadSettings("single-stream", seconds, 1024, expected_s=1e-6)
    median = run_load(EmptySystem(), 1024, settings, folder).loadgen.p50_s
    if median is None:
        raise BenchError("LoadGen does not say the median of an empty query; look into its logs")
    return median


def _issuer(lg: Any, system: System, recorder: _Recorder, settings: LoadSettings) -> Any:
    """What answers on LoadGen's own thread."""
    if settings.scenario == "single-stream":

        def issue_one(samples: Sequence[Any]) -> None:
            [sample] = samples
            begun = perf_counter_ns()
            try:
                if not recorder.over:
                    system.answer(sample.index)
            except Exception as error:  # noqa: BLE001 - LoadGen's thread cannot carry it
                recorder.error = error
            recorder.add(begun, perf_counter_ns(), 1)
            lg.QuerySamplesComplete([_empty(lg, sample)])

        return issue_one

    def issue(samples: Sequence[Any]) -> None:
        for batch in _batches(samples):
            begun = perf_counter_ns()
            try:
                if not recorder.over:
                    system.answer_many([sample.index for sample in batch])
            except Exception as error:  # noqa: BLE001 - as above
                recorder.error = error
            recorder.add(begun, perf_counter_ns(), len(batch))
            lg.QuerySamplesComplete([_empty(lg, sample) for sample in batch])

    return issue


class _Worker:
    """Answers arrivals one after the other, on a thread of its own."""

    def __init__(self, lg: Any, system: System, recorder: _Recorder) -> None:
        self._lg, self._system, self._recorder = lg, system, recorder
        self._arrivals: queue.SimpleQueue[tuple[int, Any] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="bench worker")

    def __enter__(self) -> "_Worker":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._arrivals.put(None)
        self._thread.join()

    def issue(self, samples: Sequence[Any]) -> None:
        now = perf_counter_ns()
        for sample in samples:
            self._arrivals.put((now, sample))

    def _work(self) -> None:
        while (arrival := self._arrivals.get()) is not None:
            arrived, sample = arrival
            try:
                if not self._recorder.over:
                    self._system.answer(sample.index)
            except Exception as error:  # noqa: BLE001 - handed to whoever started the load
                self._recorder.error = error
            self._recorder.add(arrived, perf_counter_ns(), 1)
            self._lg.QuerySamplesComplete([_empty(self._lg, sample)])


def _start(
    lg: Any, test: Any, system: System, total: int, folder: Path, issue: Any, recorder: _Recorder
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    log = lg.LogSettings()
    log.log_output.outdir = str(folder)
    log.log_output.copy_summary_to_stdout = False
    log.log_output.copy_detail_to_stdout = False
    log.enable_trace = False
    sut = lg.ConstructSUT(issue, lambda: None)
    # All samples are loaded at once: the load's own order is LoadGen's, by its seeds.
    qsl = lg.ConstructQSL(total, total, system.load, lambda _: system.unload())
    with recorder.interrupt:
        if test.scenario == lg.TestScenario.Server:
            _aside(lambda: lg.StartTestWithLogSettings(sut, qsl, test, log))
        else:
            lg.StartTestWithLogSettings(sut, qsl, test, log)
        lg.DestroyQSL(qsl)
        lg.DestroySUT(sut)
    if recorder.error is not None:
        raise recorder.error


def _aside(call: Callable[[], None]) -> None:
    """Runs on another thread while this one waits, and so sees signals.

    In server LoadGen issues from a thread of its own: Python's main thread would sit in it until
    the end. In the others it issues from here.
    """
    load = threading.Thread(target=call, name="bench load")
    load.start()
    while load.is_alive():
        load.join(_LOOK_S)


def _settings(lg: Any, load: LoadSettings) -> Any:
    test = lg.TestSettings()
    test.scenario = getattr(lg.TestScenario, _SCENARIOS[load.scenario])
    test.mode = lg.TestMode.PerformanceOnly
    test.min_duration_ms = round(load.seconds * 1e3)
    test.max_duration_ms = round(load.longest_s * 1e3)
    test.min_query_count = load.min_queries
    test.qsl_rng_seed = _QSL_SEED
    test.sample_index_rng_seed = _SAMPLE_SEED
    test.schedule_rng_seed = _SCHEDULE_SEED
    expected_ns = max(1, round(load.expected_s * 1e9))
    test.single_stream_expected_latency_ns = expected_ns
    test.multi_stream_expected_latency_ns = expected_ns
    test.multi_stream_samples_per_query = load.samples_per_query
    test.offline_expected_qps = load.target_qps
    test.server_target_qps = load.target_qps
    test.server_target_latency_ns = round(load.target_latency_s * 1e9)
    test.server_target_latency_percentile = 0.99
    return test


def _batches(samples: Sequence[Any]) -> list[Sequence[Any]]:
    return [samples[start : start + BATCH] for start in range(0, len(samples), BATCH)]


def _empty(lg: Any, sample: Any) -> Any:
    return lg.QuerySampleResponse(sample.id, 0, 0)
