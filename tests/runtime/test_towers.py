"""The ONNX towers: what they answer, and which models they refuse."""

import dataclasses
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from pocketrec_runtime.errors import BundleFormatError, InputError
from pocketrec_runtime.towers import OnnxItemTower, OnnxUserTower


@pytest.fixture(scope="module")
def tower(user_tower, shape):
    return OnnxUserTower(user_tower, shape)


def random_items(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_batch_equals_single_and_reference(tower, tiny, sizes, weights):
    items = random_items(0, 3, 4, 8)
    vectors, kv = tower.run(items)
    assert vectors.shape == (3, 8)
    assert [a.shape for pair in kv for a in pair] == [(3, 1, 4, 4)] * 4
    for row in range(3):
        expected = tiny.reference_user_vector(sizes, weights, items[row])
        np.testing.assert_allclose(vectors[row], expected, atol=1e-5)


def test_split_history_equals_whole(tower):
    items = random_items(1, 2, 5, 8)
    whole, whole_kv = tower.run(items)
    _, past = tower.run(items[:, :2])
    split, split_kv = tower.run(items[:, 2:], past)
    np.testing.assert_allclose(split, whole, atol=1e-5)
    for one, other in zip(split_kv, whole_kv, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("bad", [np.zeros((1, 2, 7)), np.zeros((2, 8)), np.zeros((1, 0, 8))])
def test_bad_item_vectors_are_refused(tower, bad):
    with pytest.raises(InputError, match="item_vectors"):
        tower.run(bad.astype(np.float32))


def test_float64_item_vectors_are_refused(tower):
    with pytest.raises(InputError, match="float64"):
        tower.run(np.zeros((1, 2, 8)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 10}, "item_vectors is tensor"),
        ({"blocks": 1}, "has inputs"),
        ({"blocks": 3}, "has inputs"),
        ({"kv_heads": 2}, r"past_key_values\.0\.key is"),
        ({"head_dim": 6}, r"past_key_values\.0\.key is"),
    ],
)
def test_model_of_another_shape_is_refused(user_tower, shape, change, message):
    with pytest.raises(BundleFormatError, match=message):
        OnnxUserTower(user_tower, dataclasses.replace(shape, **change))


def test_fixed_length_is_refused(user_tower, shape):
    model = onnx.load_from_string(user_tower)
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 4
    with pytest.raises(BundleFormatError, match=r"item_vectors is tensor\(float\)"):
        OnnxUserTower(model.SerializeToString(), shape)


def test_renamed_output_is_refused(user_tower, shape):
    model = onnx.load_from_string(user_tower)
    last = model.graph.node[-1]
    last.output[0] = model.graph.output[0].name = "answer"
    with pytest.raises(BundleFormatError, match="has outputs"):
        OnnxUserTower(model.SerializeToString(), shape)


@pytest.mark.parametrize("data", [b"", b"\0", b"no model at all", b"\x3a\xff\xff\xff\xff\x0f"])
def test_no_model_is_refused(shape, data):
    with pytest.raises(BundleFormatError, match=r"user_tower\.onnx"):
        OnnxUserTower(data, shape)


def test_truncated_model_is_refused(user_tower, shape):
    for end in range(0, len(user_tower) - 1, 997):
        with pytest.raises(BundleFormatError, match=r"user_tower\.onnx"):
            OnnxUserTower(user_tower[:end], shape)


def test_unknown_operator_is_refused(user_tower, shape):
    model = onnx.load_from_string(user_tower)
    model.graph.node[0].op_type = "NoSuchOperator"
    with pytest.raises(BundleFormatError, match="ONNX Runtime"):
        OnnxUserTower(model.SerializeToString(), shape)


def test_nan_from_the_model_is_refused(tiny, sizes, weights, shape):
    broken = {**weights, "1.down": np.full_like(weights["1.down"], 3e38)}
    tower = OnnxUserTower(tiny.user_tower(sizes, broken), shape)
    with pytest.raises(BundleFormatError, match="NaN"):
        tower.run(random_items(2, 1, 2, 8))


def external(tensor):
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="weights.bin")


def test_external_initializer_is_refused_before_onnx_runtime(
    user_tower, shape, tmp_path, monkeypatch
):
    model = onnx.load_from_string(user_tower)
    matrix = next(t for t in model.graph.initializer if list(t.dims) == [8, 8])
    Path(tmp_path, "weights.bin").write_bytes(matrix.raw_data)
    external(matrix)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("onnxruntime.InferenceSession", lambda *_, **__: pytest.fail("parsed"))
    with pytest.raises(BundleFormatError, match="another file"):
        OnnxUserTower(model.SerializeToString(), shape)


def test_external_data_in_a_nested_graph_is_refused(user_tower, shape):
    model = onnx.load_from_string(user_tower)
    tensor = helper.make_tensor("w", TensorProto.FLOAT, [1], [1.0])
    external(tensor)
    constant = helper.make_node("Constant", [], ["w"], value=tensor)
    branch = helper.make_graph([constant], "branch", [], [])
    model.graph.node.append(helper.make_node("If", ["c"], ["w"], then_branch=branch))
    with pytest.raises(BundleFormatError, match="another file"):
        OnnxUserTower(model.SerializeToString(), shape)


def test_external_data_in_other_attributes_is_refused(user_tower, shape):
    tensor = helper.make_tensor("w", TensorProto.FLOAT, [1], [1.0])
    external(tensor)
    sparse = onnx.SparseTensorProto(values=tensor)
    kinds = onnx.AttributeProto
    attributes = [
        kinds(name="x", tensors=[tensor], type=kinds.TENSORS),
        kinds(name="x", sparse_tensor=sparse, type=kinds.SPARSE_TENSOR),
        kinds(name="x", sparse_tensors=[sparse], type=kinds.SPARSE_TENSORS),
        kinds(name="x", graphs=[onnx.GraphProto(initializer=[tensor])], type=kinds.GRAPHS),
        kinds(name="x", g=onnx.GraphProto(sparse_initializer=[sparse]), type=kinds.GRAPH),
    ]
    for attribute in attributes:
        node = onnx.NodeProto(op_type="Thing", attribute=[attribute])
        model = onnx.load_from_string(user_tower)
        model.graph.node.append(node)
        in_function = onnx.load_from_string(user_tower)
        in_function.functions.add(name="f").node.append(node)
        in_training = onnx.load_from_string(user_tower)
        in_training.training_info.add().algorithm.node.append(node)
        for hidden in (model, in_function, in_training):
            with pytest.raises(BundleFormatError, match="another file"):
                OnnxUserTower(hidden.SerializeToString(), shape)


def test_endless_nesting_is_refused(shape):
    def field(number, payload):
        return onnx_varint(number << 3 | 2) + onnx_varint(len(payload)) + payload

    graph = b""
    for _ in range(200):  # graph.node.attribute.g, again and again
        graph = field(1, field(5, field(6, graph)))
    with pytest.raises(BundleFormatError, match="nests deeper"):
        OnnxUserTower(field(7, graph), shape)


def onnx_varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


@pytest.fixture(scope="module")
def items(item_tower, tokenizer):
    return OnnxItemTower(item_tower, tokenizer, width=8, max_tokens=7)


def test_item_vector_is_the_mean_of_its_tokens(items, tokenizer, item_table):
    import sentencepiece

    ids = sentencepiece.SentencePieceProcessor(model_proto=tokenizer).encode("a dog")
    expected = item_table[ids].mean(axis=0)
    np.testing.assert_allclose(items.encode(["a dog"])[0], expected, atol=1e-6)


def test_encoding_does_not_depend_on_the_batch(items):
    texts = ["fox", "the quick brown fox jumps over", "", "漢字", "a\0b", "dog " * 50]
    texts = [f"{text} {i}" if i > 6 else text for i, text in enumerate(texts * 12)]
    together = items.encode(texts)
    assert together.shape == (72, 8)
    for row in (0, 1, 2, 3, 4, 5, 71):
        np.testing.assert_allclose(together[row], items.encode([texts[row]])[0], atol=1e-6)


def test_tokens_beyond_the_limit_do_not_count(items):
    long = "the quick brown fox jumps over the lazy dog"
    np.testing.assert_array_equal(items.encode([long]), items.encode([f"{long} again " * 9]))


def test_no_texts(items):
    assert items.encode([]).shape == (0, 8)


@pytest.mark.parametrize("texts", [["\ud800"], [5], [None], "one string"])
def test_bad_texts_are_refused(items, texts):
    with pytest.raises(InputError):
        items.encode(texts)


def test_bad_tokenizers_are_refused(item_tower, tiny):
    other_padding = tiny.tokenizer(
        ["a few words to train on", "and a few more"], pad_id=3, unk_id=0
    )
    for data, message in ((b"garbage", "SentencePiece"), (other_padding, "padding id 3")):
        with pytest.raises(BundleFormatError, match=message):
            OnnxItemTower(item_tower, data, width=8, max_tokens=7)


def test_item_tower_of_another_width_is_refused(item_tower, tokenizer):
    with pytest.raises(BundleFormatError, match="item_vector is"):
        OnnxItemTower(item_tower, tokenizer, width=9, max_tokens=7)


def test_token_outside_the_vocabulary_is_an_error(tiny, tokenizer):
    small = OnnxItemTower(
        tiny.item_tower(np.ones((2, 8), np.float32)), tokenizer, width=8, max_tokens=7
    )
    with pytest.raises(BundleFormatError, match="failed to run"):
        small.encode(["the quick brown fox"])


def test_threads_below_one_are_refused(user_tower, shape):
    with pytest.raises(InputError, match="threads is 0"):
        OnnxUserTower(user_tower, shape, threads=0)
