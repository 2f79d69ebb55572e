"""The tower on llama.cpp beyond the contract: other shapes, the restore trap, refusals."""

import sys

import numpy as np
import pytest

from pocketrec_distill.export import write_gguf
from pocketrec_runtime import ModelShape
from pocketrec_runtime.errors import BundleFormatError, InputError, MissingExtraError, StateError
from pocketrec_runtime.gguf import check_tower
from pocketrec_runtime.llama_weights import BlockWeights, LlamaWeights
from pocketrec_runtime.towers import NumpyUserTower, RunSettings
from pocketrec_runtime.towers.llama_context import LlamaContext
from pocketrec_runtime.towers.llama_user import LlamaUserTower


def random(seed, *shape, scale=1.0):
    return np.random.default_rng(seed).normal(scale=scale, size=shape).astype(np.float32)


def made(shape, inner, hidden, **edges):
    """Random weights of a shape, as small as trained ones."""
    queries, keys = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    sizes = {
        "attention_norm": (inner,), "query": (queries, inner), "key": (keys, inner),
        "value": (keys, inner), "output": (inner, queries), "feed_norm": (inner,),
        "gate": (hidden, inner), "up": (hidden, inner), "down": (inner, hidden),
    }  # fmt: skip
    blocks = tuple(
        BlockWeights(
            **{
                name: random(10 * number + at, *size, scale=size[-1] ** -0.5 if size[1:] else 1.0)
                for at, (name, size) in enumerate(sizes.items())
            }
        )
        for number in range(shape.blocks)
    )
    return LlamaWeights(
        blocks, random(1, inner), shape.heads, shape.kv_heads, shape.head_dim, **edges
    )


def both(weights, shape, precision="F32"):
    data = write_gguf(weights, shape.window, precision)
    return LlamaUserTower(data, shape, RunSettings()), NumpyUserTower(data, shape)


SMALL = ModelShape(
    width=32, blocks=2, heads=4, kv_heads=2, head_dim=8, window=20, items=3, rows="float32"
)


@pytest.fixture(scope="module")
def towers():
    return both(made(SMALL, 32, 64, input_scale=3.0), SMALL)


def test_blocks_of_an_llm_between_projections():
    """SmolLM2's heads (9 query, 3 key/value, 64 long, 576 wide) over item vectors of 24."""
    shape = ModelShape(
        width=24, blocks=2, heads=9, kv_heads=3, head_dim=64, window=12, items=3, rows="float32"
    )
    weights = made(
        shape, 576, 160, eps=1e-5, rope_theta=100_000.0, input_scale=24**0.5, input_norm_eps=1e-6,
        enter=random(2, 576, 24, scale=0.2), leave=random(3, 24, 576, scale=0.04), skip_gain=0.3,
    )  # fmt: skip
    llama, oracle = both(weights, shape)
    items = random(4, 3, 7, 24)
    found, cache = llama.run(items[:, :-1])
    found, _ = llama.run(items[:, -1:], cache)
    expected, _ = oracle.run(items)
    assert np.abs(expected).max() > 0.5
    np.testing.assert_allclose(found, expected, atol=2e-4)


def test_a_window_longer_than_one_stream():
    shape = ModelShape(**vars(SMALL) | {"window": 300})
    llama, oracle = both(made(SMALL, 32, 64), shape)
    items = random(5, 1, 300, 32)
    expected, _ = oracle.run(items)
    np.testing.assert_allclose(llama.run(items)[0], expected, atol=2e-4)
    _, cache = llama.run(items[:, :299])
    np.testing.assert_allclose(llama.run(items[:, 299:], cache)[0], expected, atol=2e-4)


def test_more_rows_than_sequences(towers):
    llama, oracle = towers
    items = random(6, 45, 6, 32)
    expected, _ = oracle.run(items)
    found, cache = llama.run(items[:, :5])
    found, grown = llama.run(items[:, 5:], cache)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert (grown.batch, grown.positions) == (45, 6)
    # The same rows again in another order, from copies of which some are still in llama.cpp.
    order = np.random.default_rng(7).permutation(45)
    again, _ = llama.run(
        items[order, 5:], type(cache)(tuple(cache.rows[row] for row in order), 5, cache.owner)
    )
    np.testing.assert_allclose(again, expected[order], atol=1e-4)


def test_a_history_beyond_the_window_is_refused(towers):
    with pytest.raises(InputError, match="257 events"):
        towers[0].run(random(1, 1, 257, 32))


def test_a_run_after_a_refused_one_is_right(towers):
    llama, oracle = towers
    items = random(8, 1, 4, 32)
    _, cache = llama.run(items[:, :3])
    broken = type(cache)((cache.rows[0][:-9],), 3, cache.owner)
    with pytest.raises(StateError, match="restored 0 of 3"):
        llama.run(items[:, 3:], broken)
    np.testing.assert_allclose(llama.run(items[:, 3:], cache)[0], oracle.run(items)[0], atol=1e-4)


@pytest.fixture(scope="module")
def context():
    data = write_gguf(made(SMALL, 32, 64), SMALL.window, "F32")
    return LlamaContext(data, check_tower(data, SMALL), SMALL, RunSettings())


def test_a_restore_is_held_to_its_positions(context):
    context.clear(0)
    context.decode(random(1, 1, 5, 32), [0], 0)
    taken = context.take(0)
    assert context.held(0) == 5
    context.restore(1, taken, 5)
    assert context.held(1) == 5
    for data, positions in ((taken, 4), (taken, 6), (taken[:-1], 5), (b"", 5), (bytes(99), 5)):
        with pytest.raises(StateError, match="prefill again"):
            context.restore(1, data, positions)
        assert context.held(1) == 0


def test_copies_do_not_change_their_source(context):
    context.clear(2)
    context.decode(random(1, 1, 3, 32), [2], 0)
    context.copy(2, 3)
    context.decode(random(2, 1, 2, 32), [3], 3)
    assert (context.held(2), context.held(3)) == (3, 5)


def test_gpu_layers_without_a_gpu_are_refused(towers):
    if "gpu" in towers[0].account.available:
        pytest.fail("this llama.cpp has a GPU: this test is for one without")
    data = write_gguf(made(SMALL, 32, 64), SMALL.window)
    with pytest.raises(InputError, match="no GPU"):
        LlamaUserTower(data, SMALL, RunSettings(gpu_layers=-1))


def test_saved_caches_of_other_settings_are_refused(towers):
    data = write_gguf(made(SMALL, 32, 64, input_scale=3.0), SMALL.window, "F32")
    half = LlamaUserTower(data, SMALL, RunSettings(cache="float16"))
    saved = towers[0].save(towers[0].run(random(1, 1, 3, 32))[1])
    assert towers[0].load(saved, 3).positions == 3
    with pytest.raises(StateError, match="prefill again"):
        half.load(saved, 3)


def test_a_file_that_our_check_refuses_never_reaches_llama_cpp(monkeypatch):
    monkeypatch.setattr(
        "pocketrec_runtime.towers.llama_context._open_model",
        lambda *_: pytest.fail("llama.cpp was given the file"),
    )
    data = write_gguf(made(SMALL, 32, 64), SMALL.window)
    for broken in (data[:-40], data.replace(b"no_vocab", b"no_vocap"), b"GGUF" + bytes(60)):
        with pytest.raises(BundleFormatError):
            LlamaUserTower(broken, SMALL, RunSettings())


def test_nan_in_a_weight_is_no_answer():
    weights = made(SMALL, 32, 64)
    weights.blocks[0].down[:] = np.nan
    data = write_gguf(weights, SMALL.window, "F32")
    with pytest.raises(BundleFormatError, match="NaN"):
        LlamaUserTower(data, SMALL, RunSettings()).run(random(1, 1, 3, 32))


def test_a_missing_package_names_the_command(monkeypatch):
    data = write_gguf(made(SMALL, 32, 64), SMALL.window)
    monkeypatch.setitem(sys.modules, "llama_cpp.llama_cpp", None)
    with pytest.raises(MissingExtraError, match=r'pip install "pocketrec\[gguf\]"'):
        LlamaUserTower(data, SMALL, RunSettings())
