"""What every backend of the user tower answers alike; one suite, every backend and precision."""

import threading

import numpy as np
import pytest
import torch

from pocketrec_distill.export import compare_scores
from pocketrec_runtime import Engine
from pocketrec_runtime.bundle import assemble
from pocketrec_runtime.errors import InputError, StateError
from pocketrec_runtime.state import cache_bytes, cached_positions


def read(tower, vectors, history):
    """User vector (width,) and cache of a whole history."""
    found, cache = tower.run(vectors[None, history])
    return found[0], cache


def grow(tower, vectors, cache, item):
    """User vector (width,) and cache after one more event."""
    found, grown = tower.run(vectors[None, [item]], cache)
    return found[0], grown


def apart(vectors, one, other):
    """Largest difference of a score."""
    return float(np.abs(vectors @ (one - other)).max())


def test_append_equals_prefill(tower, case, vectors, queries):
    worst = 0.0
    for history in queries[:20]:
        found, cache = read(tower, vectors, history[:1])
        for item in history[1:]:
            found, cache = grow(tower, vectors, cache, item)
        worst = max(worst, apart(vectors, found, read(tower, vectors, history)[0]))
        assert cached_positions(cache) == len(history)
    print(f"{case}: append against prefill, max difference {worst:.2e}")  # noqa: T201
    assert worst <= case.rounding


def test_batch_equals_single(tower, case, vectors, queries):
    several = np.stack([history[-5:] for history in queries if len(history) >= 5][:7])
    together, cache = tower.run(vectors[several])
    assert together.shape == (7, 64)
    for row, history in enumerate(several):
        assert apart(vectors, together[row], read(tower, vectors, history)[0]) <= case.rounding
    assert cached_positions(cache) == 5
    again, _ = tower.run(vectors[several[::-1, -1:]], tower.run(vectors[several[::-1, :-1]])[1])
    assert apart(vectors, again[0], together[-1]) <= case.rounding
    assert apart(vectors, again[-1], together[0]) <= case.rounding


def test_agreement_with_the_oracle(tower, oracle, case, vectors, queries):
    found, expected = (
        np.stack([vectors @ read(each, vectors, history)[0] for history in queries])
        for each in (tower, oracle)
    )
    parity = compare_scores(expected, found, queries)
    print(  # noqa: T201  (says how close)
        f"{case}: max difference {parity.max_difference:.2e} of scores up to "
        f"{np.abs(expected).max():.1f}, top-10 overlap {parity.top10_overlap:.4f}, "
        f"Kendall tau {parity.kendall_tau:.4f}"
    )
    assert parity.max_difference <= case.difference
    assert parity.top10_overlap >= case.overlap
    assert parity.kendall_tau >= case.tau


@torch.inference_mode()
def test_the_oracle_is_the_trained_student(oracle, student, vectors, queries):
    for history in queries[:20]:
        expected = student(torch.from_numpy(vectors[None, history]))[0, -1].numpy()
        assert apart(vectors, read(oracle, vectors, history)[0], expected) <= 1e-4


def test_positions_are_computed_once(tower, vectors, queries):
    history = max(queries, key=len)
    before = tower.computed_positions
    _, cache = read(tower, vectors, history[:-1])
    assert tower.computed_positions - before == len(history) - 1
    grow(tower, vectors, cache, history[-1])
    assert tower.computed_positions - before == len(history)


def test_a_cache_is_a_value(tower, case, vectors):
    _, stem = read(tower, vectors, [3, 4, 6])
    first, longer = grow(tower, vectors, stem, 7)
    second, _ = grow(tower, vectors, stem, 200)
    third, _ = grow(tower, vectors, longer, 9)
    assert cached_positions(stem) == 3
    for found, history in ((first, [3, 4, 6, 7]), (second, [3, 4, 6, 200]),
                           (third, [3, 4, 6, 7, 9])):  # fmt: skip
        assert apart(vectors, found, read(tower, vectors, history)[0]) <= case.rounding
    assert apart(vectors, first, second) > 0.1


def test_many_users_in_turn(tower, case, vectors):
    """More than a backend holds at once: what was put away comes back, and is really used."""
    users = 40
    caches = [read(tower, vectors, [user, user + 1])[1] for user in range(users)]
    before = tower.computed_positions
    grown = [grow(tower, vectors, caches[user], user + 3) for user in range(users)]
    assert tower.computed_positions - before == users
    for user, (found, _) in enumerate(grown):
        expected, _ = read(tower, vectors, [user, user + 1, user + 3])
        assert apart(vectors, found, expected) <= case.rounding


def test_split_and_repeat(tower, case, vectors):
    _, both = tower.run(vectors[[[5, 6, 7], [60, 61, 63]]])
    first, second = tower.split(both)
    found, _ = grow(tower, vectors, second, 64)
    assert apart(vectors, found, read(tower, vectors, [60, 61, 63, 64])[0]) <= case.rounding
    before = tower.computed_positions
    candidates = [8, 9, 250]
    answers, _ = tower.run(vectors[np.array(candidates)[:, None]], tower.repeat(first, 3))
    assert tower.computed_positions - before == 3, "the prefix is shared, not computed again"
    for row, item in enumerate(candidates):
        expected, _ = read(tower, vectors, [5, 6, 7, item])
        assert apart(vectors, answers[row], expected) <= case.rounding


def test_saved_cache_goes_on_where_it_stopped(tower, case, settings, made, vectors):
    from pocketrec_runtime.towers import open_user_tower

    _, cache = read(tower, vectors, [30, 31, 33, 34])
    saved = tower.save(cache)
    assert len(saved) >= cache_bytes(cache) > 0
    other = open_user_tower(made(case), settings)
    loaded = other.load(saved, 4)
    found, grown = grow(other, vectors, loaded, 36)
    assert other.computed_positions == 1, "a restore that did nothing would compute all of them"
    assert cached_positions(grown) == 5
    assert apart(vectors, found, read(tower, vectors, [30, 31, 33, 34, 36])[0]) <= case.rounding


def test_damaged_saved_caches_are_refused(tower, vectors):
    saved = tower.save(read(tower, vectors, [30, 31, 33])[1])
    for end in range(0, len(saved), 97):
        with pytest.raises(StateError):
            tower.load(saved[:end], 3)
    for data, positions in ((saved + b"\0", 3), (saved, 4), (saved, 2), (b"", 3)):
        with pytest.raises(StateError):
            tower.load(data, positions)


def test_fits(tower, vectors):
    _, cache = read(tower, vectors, [1, 2])
    assert tower.fits(cache, 2)
    assert not tower.fits(cache, 3)
    assert not tower.fits(tower.repeat(cache, 2), 2)
    wrong = np.zeros((1, 2, 2, 10), np.float32)
    assert not tower.fits(((wrong, wrong),) * 2, 2)


def test_another_backends_cache_is_refused(tower, vectors):
    class Elsewhere:
        batch, positions, size_bytes = 1, 2, 8

    assert not tower.fits(Elsewhere(), 2)
    with pytest.raises(StateError, match="prefill"):
        tower.run(vectors[None, [3]], Elsewhere())


@pytest.mark.parametrize("times", [0, -1])
def test_bad_repeats_are_refused(tower, vectors, times):
    _, cache = tower.run(vectors[[[1], [2]]])
    with pytest.raises(InputError):
        tower.repeat(tower.split(cache)[0], times)
    for refused in (lambda: tower.repeat(cache, 2), lambda: tower.save(cache)):
        with pytest.raises(InputError, match="split"):
            refused()


@pytest.mark.parametrize(
    "bad", [np.zeros((1, 2, 7)), np.zeros((2, 64)), np.zeros((1, 0, 64)), np.zeros((0, 1, 64))]
)
def test_bad_item_vectors_are_refused(tower, bad):
    with pytest.raises(InputError, match="item_vectors"):
        tower.run(bad.astype(np.float32))
    with pytest.raises(InputError, match="float64"):
        tower.run(np.zeros((1, 2, 64)))


def test_threads_share_a_tower(tower, case, vectors, queries):
    expected = [read(tower, vectors, history)[0] for history in queries[:8]]
    wrong = []

    def work(first: int) -> None:
        for turn in range(12):
            number = (first + turn) % 8
            history = queries[number]
            found, cache = read(tower, vectors, history[:1])
            for item in history[1:]:
                found, cache = grow(tower, vectors, cache, item)
            if not apart(vectors, found, expected[number]) <= case.rounding:
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_the_account_says_what_runs(tower, case):
    account = tower.account
    assert (account.backend, account.precision, account.cache) == (
        case.backend,
        case.precision,
        case.cache,
    )
    assert account.file == ("user_tower.onnx" if case.backend == "onnx" else "user_tower.gguf")
    assert account.used == ("cpu",)
    assert "cpu" in account.available


def test_engine_ranks_with_it(case, settings, made, oracle, vectors, queries):
    engine = Engine(assemble(made(case)), settings)
    assert engine.backend.backend == case.backend
    history = [int(item) for item in max(queries, key=len)]
    state, _ = engine.prefill(history[:-1])
    _, vector = engine.append(state, history[-1])
    assert engine.reused_positions == len(history) - 1
    assert engine.computed_positions == len(history)
    indices, _ = engine.top_k(vector, 3, exclude=history)
    scores = vectors @ read(oracle, vectors, history)[0]
    scores[history] = -np.inf
    assert set(indices[:2].tolist()) == set(np.argsort(-scores)[:2].tolist())
