"""LoadGen drives small systems: every scenario, every answer, every failure."""

import json
import os
import signal
import time
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from pocketrec_bench.errors import BenchError
from pocketrec_bench.loadgen import LoadSettings, empty_query_s, run_accuracy, run_load
from pocketrec_bench.logs import read_answers, read_verdict


class Counting:
    """Answers sample s with the items s and s + 1, and counts."""

    def __init__(self, fail_at: int | None = None, seconds: float = 0.0) -> None:
        self.loaded: set[int] = set()
        self.answered: Counter[int] = Counter()
        self.sizes: Counter[int] = Counter()
        self._fail_at, self._seconds = fail_at, seconds

    def load(self, samples) -> None:
        self.loaded |= set(samples)

    def unload(self) -> None:
        self.loaded.clear()

    def answer(self, sample: int) -> np.ndarray:
        assert sample in self.loaded
        if self._fail_at is not None and sum(self.answered.values()) >= self._fail_at:
            raise ZeroDivisionError("broken on purpose")
        time.sleep(self._seconds)
        self.answered[sample] += 1
        return np.array([sample, sample + 1])

    def answer_many(self, samples) -> list[np.ndarray]:
        self.sizes[len(samples)] += 1
        return [self.answer(sample) for sample in samples]


def _settings(scenario: str, **changes) -> LoadSettings:
    return LoadSettings(scenario, **{"seconds": 0.05, "min_queries": 100, **changes})


def test_single_stream_issues_one_after_the_other(tmp_path) -> None:
    system = Counting(seconds=2e-4)
    record = run_load(system, 7, _settings("single-stream", expected_s=1e-4), tmp_path)
    assert record.loadgen.valid
    assert record.loadgen.reasons == ()
    assert record.samples == record.loadgen.queries == len(record.latencies_s)
    assert record.samples == sum(system.answered.values()) >= 100
    assert set(system.answered) == set(range(7))
    assert record.latencies_s.min() >= 2e-4
    assert record.ends_s[-1] >= 0.05
    assert all(end - latency >= before for (before, end), latency in zip(
        pairwise(record.ends_s), record.latencies_s[1:], strict=True
    ))  # fmt: skip
    # LoadGen's own clock saw the same, and its own work on top.
    assert record.loadgen.p50_s >= np.median(record.latencies_s) * 0.9
    assert not system.loaded


def test_multi_stream_issues_several_at_once(tmp_path) -> None:
    system = Counting()
    settings = _settings("multi-stream", samples_per_query=5, expected_s=1e-6)
    record = run_load(system, 9, settings, tmp_path)
    assert set(system.sizes) == {5}
    assert record.samples == 5 * len(record.latencies_s)


def test_offline_issues_all_at_once_and_they_are_answered_in_batches(tmp_path) -> None:
    system = Counting()
    record = run_load(system, 9, _settings("offline", target_qps=3000.0), tmp_path)
    assert set(system.sizes) <= {64, record.samples % 64}
    assert record.samples == sum(system.answered.values()) >= 150
    assert record.loadgen.queries == 1


def test_a_server_is_late_where_arrivals_wait(tmp_path) -> None:
    # 2 ms each and 2,000 arrivals a second: the queue grows.
    record = run_load(
        Counting(seconds=2e-3), 9, _settings("server", target_qps=2000.0, seconds=0.1), tmp_path
    )
    assert not record.loadgen.valid
    assert any("target QPS" in reason for reason in record.loadgen.reasons)
    assert record.latencies_s.max() > 0.02


def test_too_few_queries_are_not_valid_and_it_says_so(tmp_path) -> None:
    # p99 of multi-stream needs 662 queries.
    settings = _settings("multi-stream", samples_per_query=2, min_queries=20, expected_s=1e-2)
    record = run_load(Counting(seconds=1e-3), 9, settings, tmp_path)
    assert not record.loadgen.valid
    assert "too few queries for its early-stopping bound" in " ".join(record.loadgen.reasons)
    assert record.loadgen.early_stopping_p99_s is None


@pytest.mark.parametrize("scenario", ["single-stream", "multi-stream", "offline", "server"])
def test_what_the_system_raises_comes_out(tmp_path, scenario) -> None:
    with pytest.raises(ZeroDivisionError, match="on purpose"):
        run_load(Counting(fail_at=30), 9, _settings(scenario, target_qps=1000.0), tmp_path)


@pytest.mark.parametrize("scenario", ["single-stream", "multi-stream", "offline", "server"])
def test_an_interrupt_ends_the_load_and_not_the_process(tmp_path, scenario) -> None:
    class Interrupted(Counting):
        def answer(self, sample: int) -> np.ndarray:
            if sum(self.answered.values()) == 20:
                os.kill(os.getpid(), signal.SIGINT)
            return super().answer(sample)

    system = Interrupted(seconds=1e-3)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        run_load(system, 9, _settings(scenario, target_qps=1000.0), tmp_path)
    assert signal.getsignal(signal.SIGINT) is before
    # What was in the batch may end; in a server what had arrived, too.
    assert sum(system.answered.values()) < 100
    assert run_load(Counting(), 9, _settings(scenario, target_qps=1000.0), tmp_path).samples > 0


def test_the_accuracy_run_answers_every_sample_once(tmp_path) -> None:
    system = Counting()
    answers = run_accuracy(system, 150, tmp_path)
    assert answers == [(sample, sample + 1) for sample in range(150)]
    assert set(system.answered.values()) == {1}
    with pytest.raises(ZeroDivisionError):
        run_accuracy(Counting(fail_at=3), 150, tmp_path)


def test_an_empty_query_takes_some_time(tmp_path) -> None:
    assert 0 < empty_query_s(0.05, tmp_path) < 1e-2


def test_damaged_logs_are_refused(tmp_path) -> None:
    run_accuracy(Counting(), 3, tmp_path)
    path = tmp_path / "mlperf_log_accuracy.json"
    entries = json.loads(path.read_text())
    wrong_data = [{**entries[0], "data": "0"}]
    twice = [*entries, entries[0]]
    for damaged in (entries[:2], [*entries[:2], entries[0]], twice, wrong_data, "["):
        path.write_text(damaged if isinstance(damaged, str) else json.dumps(damaged))
        with pytest.raises(BenchError):
            read_answers(tmp_path, 3)
    (tmp_path / "mlperf_log_detail.txt").write_text(':::MLLOG {"key": "loadgen_version"')
    with pytest.raises(BenchError, match="not what LoadGen writes"):
        read_verdict(tmp_path)
    (tmp_path / "mlperf_log_detail.txt").write_text("")
    with pytest.raises(BenchError, match="did not finish"):
        read_verdict(tmp_path)
