"""The GGUF reader: what it decodes, and that it refuses every other file quickly."""

import struct

import gguf
import numpy as np
import pytest

from pocketrec_distill.export import write_gguf
from pocketrec_runtime import ModelShape
from pocketrec_runtime.errors import BundleFormatError, InputError
from pocketrec_runtime.gguf import check_tower, read_gguf, read_tower
from pocketrec_runtime.gguf.blocks import ENCODINGS, decode
from pocketrec_runtime.llama_weights import BlockWeights, LlamaWeights

SHAPE = ModelShape(
    width=6, blocks=2, heads=4, kv_heads=2, head_dim=8, window=9, items=3, rows="float32"
)


def random(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def made_weights(seed=0, **changes):
    """Blocks 32 wide over item vectors of 6: every optional part is there."""
    blocks = tuple(
        BlockWeights(
            attention_norm=random(seed + at, 32),
            query=random(seed + at + 1, 32, 32),
            key=random(seed + at + 2, 16, 32),
            value=random(seed + at + 3, 16, 32),
            output=random(seed + at + 4, 32, 32),
            feed_norm=random(seed + at + 5, 32),
            gate=random(seed + at + 6, 40, 32),
            up=random(seed + at + 7, 40, 32),
            down=random(seed + at + 8, 32, 40),
        )
        for at in (10, 20)
    )
    fields = {
        "blocks": blocks, "norm": random(1, 32), "heads": 4, "kv_heads": 2, "head_dim": 8,
        "eps": 1e-4, "rope_theta": 5000.0, "input_scale": 2.5, "enter": random(2, 32, 6),
        "input_norm_eps": 1e-6, "leave": random(3, 6, 32), "skip_gain": 0.25,
    }  # fmt: skip
    return LlamaWeights(**fields | changes)


@pytest.fixture(scope="module")
def data() -> bytes:
    return write_gguf(made_weights(), 9, "F32")


def test_every_weight_comes_back(data):
    expected, found = made_weights(), read_tower(data, SHAPE)
    for name in ("heads", "kv_heads", "head_dim", "eps", "rope_theta", "input_scale",
                 "input_norm_eps", "skip_gain"):  # fmt: skip
        assert getattr(found, name) == pytest.approx(getattr(expected, name), rel=1e-6)
    for name in ("norm", "enter", "leave"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    for ours, theirs in zip(found.blocks, expected.blocks, strict=True):
        for name, array in vars(theirs).items():
            np.testing.assert_array_equal(getattr(ours, name), array, err_msg=name)
    assert (found.inner, found.width, found.hidden) == (32, 6, 40)


def test_query_rows_stand_in_llama_cpps_order(data):
    """Head dim 8: llama.cpp turns rows 0 and 1 against each other, Hugging Face 0 and 4."""
    stored = read_gguf(data, "x").tensors["blk.0.attn_q.weight"]
    rows = np.frombuffer(stored.data, "<f4").reshape(32, 32)
    query = made_weights().blocks[0].query
    np.testing.assert_array_equal(rows[:8], query[[0, 4, 1, 5, 2, 6, 3, 7]])
    np.testing.assert_array_equal(rows[8:10], query[[8, 12]])


@pytest.mark.parametrize("number", ENCODINGS)
def test_decoding_is_that_of_the_gguf_package(number):
    values = random(4, 3, 64)
    kind = gguf.GGMLQuantizationType(number)
    stored = gguf.quantize(values, kind)
    found = decode(memoryview(stored.tobytes()), ENCODINGS[number], "x")
    np.testing.assert_array_equal(found.reshape(3, 64), gguf.dequantize(stored, kind))


def test_decoding_by_hand():
    scale = np.float16(0.5).tobytes()
    low, high = [0, 15, 8, 7], [9, 8, 1, 15]
    nibbles = bytes(a | b << 4 for a, b in zip(low, high, strict=True)) + bytes([0x88]) * 12
    found = decode(memoryview(scale + nibbles), ENCODINGS[2], "x")
    assert found[:5].tolist() == [-4.0, 3.5, 0.0, -0.5, 0.0]
    assert found[16:21].tolist() == [0.5, 0.0, -3.5, 3.5, 0.0]
    numbers = np.array([-127, 127, 1] + [0] * 29, np.int8).tobytes()
    assert decode(memoryview(scale + numbers), ENCODINGS[8], "x")[:3].tolist() == [-63.5, 63.5, 0.5]


def test_rows_that_no_block_holds_are_stored_as_half_floats():
    tensors = check_tower(write_gguf(made_weights(), 9, "Q8_0"), SHAPE).file.tensors
    assert tensors["blk.0.ffn_down.weight"].encoding.name == "F16"  # 40 numbers a row
    assert tensors["blk.0.ffn_up.weight"].encoding.name == "Q8_0"
    assert tensors["blk.0.ffn_norm.weight"].encoding.name == "F32"


def test_cut_off_at_every_byte(data):
    for end in [*range(1200), *range(1200, len(data), 501), len(data) - 1]:
        with pytest.raises(BundleFormatError):
            check_tower(data[:end], SHAPE)
    with pytest.raises(BundleFormatError, match="1 bytes after"):
        check_tower(data + b"\0", SHAPE)


def test_flipped_header_bytes_are_refused_or_harmless(data):
    """Any byte of the header: an error, or the same tensors. Never a hang, never a crash."""
    header = data.index(b"output_norm.weight")
    for at in range(header):
        broken = bytearray(data)
        broken[at] ^= 0xFF
        try:
            tower = check_tower(bytes(broken), SHAPE)
        except BundleFormatError:
            continue
        assert set(tower.file.tensors) == set(check_tower(data, SHAPE).file.tensors)


def field(kind, value):
    return struct.pack("<I", kind) + value


def string(text):
    return struct.pack("<Q", len(text)) + text


def gguf_bytes(*, tensors=0, keys=(), rest=b"", count=None):
    head = b"GGUF" + struct.pack("<IQQ", 3, tensors, len(keys) if count is None else count)
    return head + b"".join(string(key) + value for key, value in keys) + rest


HUGE = (1 << 64) - 1
HOSTILE = {
    "not GGUF": b"GGML" + bytes(40),
    "another version": b"GGUF" + struct.pack("<IQQ", 2, 0, 0),
    "big-endian": b"GGUF" + struct.pack(">IQQ", 3, 0, 0),
    "endless keys": gguf_bytes(count=HUGE),
    "endless tensors": gguf_bytes(tensors=HUGE),
    "endless string": gguf_bytes(keys=[(b"a", field(8, struct.pack("<Q", HUGE)))]),
    "endless array": gguf_bytes(keys=[(b"a", field(9, struct.pack("<IQ", 6, HUGE)))]),
    "long array": gguf_bytes(keys=[(b"a", field(9, struct.pack("<IQ", 6, 1 << 20)))]),
    # The gguf package's reader walks such arrays of empty strings for years.
    "array of strings": gguf_bytes(keys=[(b"a", field(9, struct.pack("<IQ", 8, 1 << 60)))]),
    "array of arrays": gguf_bytes(keys=[(b"a", field(9, struct.pack("<IQ", 9, 1 << 60)))]),
    "boolean": gguf_bytes(keys=[(b"a", field(7, b"\x01"))]),
    "key twice": gguf_bytes(keys=[(b"a", field(4, bytes(4)))] * 2),
    "no ASCII": gguf_bytes(keys=[(b"\xff", field(4, bytes(4)))]),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_headers_are_refused(name):
    with pytest.raises(BundleFormatError):
        read_gguf(HOSTILE[name], "user_tower.gguf")


def tensor(name, dims, kind=0, offset=0):
    axes = struct.pack(f"<I{len(dims)}Q", len(dims), *dims)
    return string(name) + axes + struct.pack("<IQ", kind, offset)


def with_tensors(*described, size=64):
    body = gguf_bytes(tensors=len(described), rest=b"".join(described))
    return body + bytes(-len(body) % 32) + bytes(size)


@pytest.mark.parametrize(
    ("described", "message"),
    [
        ([tensor(b"a", (8,)), tensor(b"a", (8,), offset=32)], "twice"),
        ([tensor(b"a", (8,)), tensor(b"b", (8,), offset=0)], "ends at 32"),
        ([tensor(b"a", (8,)), tensor(b"b", (8,), offset=64)], "ends at 32"),
        ([tensor(b"a", (8,), offset=HUGE)], "ends at 0"),
        ([tensor(b"a", (1 << 40, 1 << 40))], "limit"),
        ([tensor(b"a", (1 << 30, 1 << 30))], "cut off"),
        ([tensor(b"a", (0,))], "rows of 0"),
        ([tensor(b"a", ())], "0 axes"),
        ([tensor(b"a", (1, 1, 1))], "3 axes"),
        ([tensor(b"a", (31,), kind=8)], "rows of 31"),
        ([tensor(b"a", (8,), kind=12)], "tensor type 12"),
    ],
)
def test_bad_tensors_are_refused(described, message):
    with pytest.raises(BundleFormatError, match=message):
        read_gguf(with_tensors(*described), "user_tower.gguf")


def test_well_formed_tensors_are_read():
    file = read_gguf(with_tensors(tensor(b"a", (8,)), tensor(b"b", (2, 3), offset=32)), "x")
    assert [each.shape for each in file.tensors.values()] == [(8,), (3, 2)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 7}, r"pocketrec\.enter"),
        ({"blocks": 3}, "block_count"),
        ({"heads": 2}, "head_count"),
        ({"kv_heads": 4}, "head_count_kv"),
        ({"head_dim": 4}, "key_length"),
    ],
)
def test_a_tower_of_another_shape_is_refused(data, change, message):
    other = vars(SHAPE) | change
    with pytest.raises(BundleFormatError, match=message):
        check_tower(data, ModelShape(**other))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"pocketrec.skip_gain", b"pocketrec.skip_gaim", "lacks the key"),
        (b"tokenizer.ggml.model", b"tokenizer.ggml.mode1", "lacks the key"),
        (b"no_vocab", b"no_vocap", "no_vocap"),
        (b"blk.1.ffn_up", b"blk.1.ffn_ub", "missing"),
    ],
)
def test_other_names_are_refused(data, old, new, message):
    assert data.count(old) == 1
    with pytest.raises(BundleFormatError, match=message):
        check_tower(data.replace(old, new), SHAPE)


def test_a_key_too_many_is_refused(data):
    extra = string(b"tokenizer.chat_template") + field(8, string(b"{{ 7*7 }}"))
    count = struct.unpack("<Q", data[16:24])[0]
    grown = data[:16] + struct.pack("<Q", count + 1) + extra + data[24:]
    with pytest.raises(BundleFormatError, match=r"tokenizer\.chat_template|ends at|after|cut off"):
        check_tower(grown, SHAPE)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("precision", ["F32", "F16"])
def test_nan_in_a_weight_is_refused(value, precision):
    weights = made_weights()
    weights.blocks[1].up[3, 4] = value
    with pytest.raises(BundleFormatError, match=r"blk\.1\.ffn_up\.weight holds NaN"):
        read_tower(write_gguf(weights, 9, precision), SHAPE)


@pytest.mark.parametrize("name", ["enter", "leave"])
def test_nan_in_a_projection_is_refused(name):
    matrix = random(2, *((32, 6) if name == "enter" else (6, 32)))
    matrix[2, 3] = np.nan
    with pytest.raises(BundleFormatError, match=f"{name} holds NaN"):
        check_tower(write_gguf(made_weights(**{name: matrix}), 9), SHAPE)


def test_a_projection_may_not_be_missing_where_widths_differ():
    with pytest.raises(InputError, match="leave"):
        made_weights(leave=None)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"norm": random(1, 31)}, "attention_norm"),
        ({"heads": 3}, "3 heads"),
        ({"head_dim": 7}, "even head_dim"),
        ({"enter": random(2, 30, 6)}, "enter"),
        ({"blocks": ()}, "0 blocks"),
    ],
)
def test_weights_that_disagree_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        made_weights(**changes)
