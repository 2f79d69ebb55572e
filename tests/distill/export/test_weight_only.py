"""Towers with int8 and int4 matrices: right numbers, small files, and exact caches."""

import numpy as np
import onnx
import pytest
import torch

from pocketrec_distill.export import export_user_tower
from pocketrec_distill.export.weight_only import block_of, quantize_matrix, weight_only
from pocketrec_distill.models import TowerShape
from pocketrec_distill.models.llm_student import LlmStudent
from pocketrec_distill.models.student import Student
from pocketrec_runtime import ModelShape
from pocketrec_runtime.towers import OnnxUserTower

ITEMS, WINDOW = 9, 6
SHAPE = TowerShape(width=32, blocks=2, heads=4, kv_heads=2, hidden=48)


@pytest.fixture(scope="module")
def exported() -> tuple[Student, bytes]:
    torch.manual_seed(5)
    student = Student(ITEMS, SHAPE, None).eval()
    for parameter in student.parameters():
        torch.nn.init.normal_(parameter, mean=float(parameter.ndim == 1), std=0.3)
    return student, export_user_tower(student)


def opened(model: bytes) -> OnnxUserTower:
    shape = ModelShape(
        width=32, blocks=2, heads=4, kv_heads=2, head_dim=8, window=WINDOW, items=ITEMS,
        rows="float32",
    )  # fmt: skip
    return OnnxUserTower(model, shape)


def append_difference(tower: OnnxUserTower, events: np.ndarray) -> float:
    """Largest difference between reading events one by one and all at once."""
    whole, _ = tower.run(events)
    past = None
    for at in range(events.shape[1]):
        found, past = tower.run(events[:, at : at + 1], past)
    return float(np.abs(found - whole).max())


def test_8_bits_by_hand() -> None:
    """Two outputs of 3 inputs; scales 254 / 127 and 63.5 / 127; an output of zeros stays so."""
    matrix = np.array([[254, 1, 0], [-3.2, -63.5, 0], [100, 0.3, 0]], np.float32)
    codes, scales = quantize_matrix(matrix, 8)
    assert scales.tolist() == [[2.0, 0.5, 1.0]]
    assert codes.tolist() == [[127, 2, 0], [-2, -127, 0], [50, 1, 0]]


def test_4_bits_give_each_block_its_own_scale() -> None:
    matrix = np.zeros((64, 2), np.float32)
    # Multiples of the scale come back exactly, so that no clip is better.
    matrix[:32, 0], matrix[32:, 0] = np.arange(32) % 15 - 7, 10 * (np.arange(32) % 15 - 7)
    codes, scales = quantize_matrix(matrix, 4)
    assert scales.shape == (2, 2)
    np.testing.assert_allclose(scales, [[1, 1], [10, 1]])
    assert codes[:, 0].tolist() == 2 * [i % 15 - 7 for i in range(32)]
    assert not codes[:, 1].any()


def test_4_bits_clip_what_is_not_worth_its_price() -> None:
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(32, 50)).astype(np.float32)
    codes, scales = quantize_matrix(matrix, 4)
    searched = float(((matrix - codes * scales) ** 2).sum())
    widest = np.abs(matrix).max(axis=0) / 7
    plain = float(((matrix - np.rint(matrix / widest) * widest) ** 2).sum())
    assert searched < 0.9 * plain
    assert int(np.abs(codes).max()) == 7


@pytest.mark.parametrize(
    ("inputs", "bits", "size"), [(96, 8, 96), (96, 4, 32), (48, 4, 16), (20, 4, 20)]
)
def test_block_sizes(inputs: int, bits: int, size: int) -> None:
    assert block_of(inputs, bits) == size


@pytest.mark.parametrize(("bits", "worst", "share"), [(8, 0.05, 0.55), (4, 0.8, 0.45)])
def test_the_tower_stays_near_and_gets_small(
    exported: tuple[Student, bytes], bits: int, worst: float, share: float
) -> None:
    student, fp32 = exported
    small = weight_only(fp32, bits)
    events = torch.randn(3, 5, 32, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected = student(events)[:, -1].numpy()
    found, _ = opened(small).run(events.numpy())
    gap = np.abs(found - expected).max()
    print(f"{bits} bits: max {gap:.3f}, {len(small) / len(fp32):.2f} of the bytes")  # noqa: T201
    assert 0 < gap < worst
    assert len(small) < share * len(fp32)


@pytest.mark.parametrize("bits", [8, 4])
def test_the_tower_computes_with_exactly_the_rounded_weights(
    exported: tuple[Student, bytes], bits: int
) -> None:
    """A float model whose matrices were rounded says the same to the last bits."""
    fp32 = onnx.load_model_from_string(exported[1])
    used = {node.input[1] for node in fp32.graph.node if node.op_type == "MatMul"}
    rounded = 0
    for entry in fp32.graph.initializer:
        if entry.name in used and len(entry.dims) == 2:
            matrix = onnx.numpy_helper.to_array(entry)
            codes, scales = quantize_matrix(matrix, bits)
            full = np.repeat(scales, len(codes) // len(scales), axis=0)
            entry.CopyFrom(
                onnx.numpy_helper.from_array((codes * full).astype(np.float32), entry.name)
            )
            rounded += 1
    assert rounded == 8
    events = np.random.default_rng(2).normal(size=(2, 4, 32)).astype(np.float32)
    found, _ = opened(weight_only(exported[1], bits)).run(events)
    expected, _ = opened(fp32.SerializeToString()).run(events)
    assert np.abs(found - expected).max() < 1e-6


@pytest.mark.parametrize("folded", [True, False])
@pytest.mark.parametrize("bits", [8, 4])
def test_appending_equals_reading_anew(
    exported: tuple[Student, bytes], bits: int, folded: bool
) -> None:
    """What dynamic quantization breaks: a position's activations are its own affair here."""
    tower = opened(weight_only(exported[1], bits, folded=folded))
    events = np.random.default_rng(3).normal(size=(1, 6, 32)).astype(np.float32)
    assert append_difference(tower, events) < 1e-5


@pytest.mark.parametrize("bits", [8, 4])
def test_the_product_with_small_weights_stays_near(
    exported: tuple[Student, bytes], bits: int
) -> None:
    folded, product = (
        opened(weight_only(exported[1], bits, folded=folded)) for folded in (True, False)
    )
    events = np.random.default_rng(3).normal(size=(1, 6, 32)).astype(np.float32)
    exact, _ = folded.run(events)
    found, _ = product.run(events)
    assert np.abs(found - exact).max() < 1e-5


def test_blocks_of_an_llms_size_in_4_bits_have_an_exact_cache() -> None:
    """Of eight histories one would be .006 apart if activations were rounded to 8 bits."""
    torch.manual_seed(0)
    shape = TowerShape(width=256, blocks=2, heads=4, kv_heads=1, hidden=512)
    model = weight_only(
        export_user_tower(LlmStudent(ITEMS, 64, shape, None).eval()), 4, folded=False
    )
    sizes = ModelShape(
        width=64, blocks=2, heads=4, kv_heads=1, head_dim=64, window=48, items=ITEMS,
        rows="float32",
    )  # fmt: skip
    tower = OnnxUserTower(model, sizes)
    events = np.random.default_rng(3).normal(size=(8, 48, 64)).astype(np.float32)
    assert append_difference(tower, events) < 1e-5


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("folded", [True, False])
def test_only_standard_operators_are_used(
    exported: tuple[Student, bytes], bits: int, folded: bool
) -> None:
    model = onnx.load_model_from_string(weight_only(exported[1], bits, folded=folded))
    assert {opset.domain for opset in model.opset_import} <= {"", "ai.onnx"}
    assert all(node.domain in ("", "ai.onnx") for node in model.graph.node)
    assert any(node.op_type == "DequantizeLinear" for node in model.graph.node) != folded
