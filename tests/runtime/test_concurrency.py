"""Many users at once: batched prefill, threads that share an engine, and forked processes."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import pocketrec_runtime as rt
from pocketrec_runtime.bundle import assemble
from pocketrec_runtime.errors import InputError
from pocketrec_runtime.prefill import MAX_BATCH


def test_prefill_of_many_is_the_prefill_of_each(engine):
    rng = np.random.default_rng(5)
    histories = [rng.integers(5, size=length).tolist() for length in (3, 1, 6, 3, 9, 2, 3, 1)]
    answers = engine.prefill_many(histories)
    assert len(answers) == 8
    for history, (state, vector) in zip(histories, answers, strict=True):
        alone, expected = engine.prefill(history)
        np.testing.assert_allclose(vector, expected, atol=1e-6)
        assert (state.items, state.seen) == (alone.items, alone.seen)
        for found, wanted in zip(state.kv, alone.kv, strict=True):
            np.testing.assert_allclose(found, wanted, atol=1e-6)
        _, after = engine.append(state, 4)
        np.testing.assert_allclose(after, engine.append(alone, 4)[1], atol=1e-5)


def test_prefill_of_more_than_a_batch_keeps_the_order(engine):
    histories = [[n % 5, n % 3] for n in range(2 * MAX_BATCH + 1)]
    answers = engine.prefill_many(histories)
    assert [state.items for state, _ in answers] == [tuple(h) for h in histories]
    expected = engine.prefill([2, 2])[1]
    np.testing.assert_allclose(answers[2 * MAX_BATCH][1], engine.prefill([3, 2])[1], atol=1e-6)
    np.testing.assert_allclose(answers[17][1], expected, atol=1e-6)


def test_a_state_of_many_keeps_no_other_alive(engine):
    (state, vector), *_ = engine.prefill_many([[0, 1, 2]] * MAX_BATCH)
    for array in (vector, *(array for pair in state.kv for array in pair)):
        held = array if array.base is None else array.base
        assert getattr(held, "nbytes", array.nbytes) == array.nbytes


def test_prefill_of_many_checks_every_history(engine):
    assert engine.prefill_many([]) == []
    for histories in ([[0], []], [[0], [5]], [[0], [-1]], [["a"]]):
        with pytest.raises(InputError):
            engine.prefill_many(histories)


def test_eight_threads_get_the_answers_of_one(contents):
    engine = rt.Engine(assemble(contents))
    rng = np.random.default_rng(9)
    histories = [
        [engine.catalogue.ids[i] for i in rng.integers(5, size=rng.integers(1, 9))]
        for _ in range(40)
    ]
    expected = [engine.recommend(h, 4, include_seen=True) for h in histories]
    wrong: list[object] = []
    start = threading.Barrier(8)

    def work(seed):
        turn = np.random.default_rng(seed)
        start.wait()
        for n in turn.integers(len(histories), size=60).tolist():
            found = engine.recommend(histories[n], 4, include_seen=True)
            if found != expected[n]:
                wrong.append((n, found))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


FORK = """
import os, sys
import pocketrec_runtime as rt
from pocketrec_runtime.errors import ForkError
engine = rt.Engine.open(sys.argv[1])
state, vector = engine.prefill([0, 1])
calls = {
    "recommend": lambda: engine.recommend(["a"]),
    "prefill": lambda: engine.prefill([0]),
    "prefill_many": lambda: engine.prefill_many([[0]]),
    "append": lambda: engine.append(state, 2),
    "encode_items": lambda: engine.encode_items(["fox"]),
    "top_k": lambda: engine.top_k(vector, 1),
    "rank": lambda: engine.rank(vector),
    "delta": lambda: engine.with_delta(rt.make_delta(engine, [])).prefill([0]),
}
child = os.fork()
if child == 0:
    for name, call in calls.items():
        try:
            call()
            print(name, "answered")
        except ForkError as error:
            assert "Engine.open" in str(error)
            print(name, "refused")
    print("again", rt.Engine.open(sys.argv[1]).recommend(["a"], 1).source)
    sys.stdout.flush()
    os._exit(0)
os.waitpid(child, 0)
print("parent", engine.recommend(["a"], 1).source)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_engine_says_so(bundle_dir):
    done = subprocess.run(
        [sys.executable, "-c", FORK, str(bundle_dir)],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    said = dict(line.split() for line in done.stdout.splitlines())
    assert said.pop("again") == said.pop("parent") == "device"
    assert set(said.values()) == {"refused"}
    assert len(said) == 8


def test_many_different_unknown_ids(engine):
    answer = engine.recommend([*map(str, range(200_000)), "a"])
    assert answer.unknown == tuple(map(str, range(200_000)))
    assert answer.items == engine.recommend(["a"]).items
