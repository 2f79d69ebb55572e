"""The exported user tower: the contract's names, PyTorch's numbers, the runtime's engine."""

import getpass
import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from pocketrec_distill.export import export_user_tower, quantize_model
from pocketrec_distill.models import TowerShape
from pocketrec_distill.models.student import Student
from pocketrec_runtime import ModelShape
from pocketrec_runtime.towers import OnnxUserTower

Opened = Callable[[Student, bytes], OnnxUserTower]

ITEMS, WINDOW = 9, 6
SHAPES = {
    "grouped": TowerShape(width=24, blocks=2, heads=6, kv_heads=2, hidden=20),
    "one block": TowerShape(width=16, blocks=1, heads=2, kv_heads=2, hidden=24),
}


def made(shape: TowerShape) -> Student:
    torch.manual_seed(5)
    states = np.random.default_rng(0).normal(size=(ITEMS, 7)).astype(np.float32)
    student = Student(ITEMS, shape, states).eval()
    for parameter in student.parameters():
        torch.nn.init.normal_(parameter, mean=float(parameter.ndim == 1), std=0.3)
    return student


@pytest.fixture(scope="module", params=SHAPES.values(), ids=SHAPES.keys())
def exported(request: pytest.FixtureRequest) -> tuple[Student, bytes]:
    student = made(request.param)
    return student, export_user_tower(student)


@pytest.fixture
def opened(shape_of: Callable[[Student, int], ModelShape]) -> Opened:
    """Opens a student's tower."""
    return lambda student, model: OnnxUserTower(model, shape_of(student, WINDOW))


def worst(name: str, found: np.ndarray, expected: torch.Tensor) -> float:
    gap = np.abs(found - expected.numpy())
    print(f"{name}: max {gap.max():.2e}, mean {gap.mean():.2e}")  # noqa: T201  (says how close)
    return float(gap.max())


def test_names_types_and_shapes_are_the_contracts(exported: tuple[Student, bytes]) -> None:
    student, data = exported
    graph = onnx.load_model_from_string(data).graph
    blocks, kv, head = student.shape.blocks, student.shape.kv_heads, student.shape.head_dim
    parts = [f"{block}.{part}" for block in range(blocks) for part in ("key", "value")]

    def ports(values: object) -> dict[str, list[int | str]]:
        assert all(v.type.tensor_type.elem_type == onnx.TensorProto.FLOAT for v in values)
        return {
            v.name: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim]
            for v in values
        }

    assert ports(graph.input) == {
        "item_vectors": ["batch", "length", student.shape.width],
        **{f"past_key_values.{part}": ["batch", kv, "past_length", head] for part in parts},
    }
    outputs = ports(graph.output)
    assert list(outputs) == ["user_vector", *(f"present.{part}" for part in parts)]
    assert outputs["user_vector"] == ["batch", student.shape.width]
    for part in parts:
        batch, heads, total, size = outputs[f"present.{part}"]
        assert (batch, heads, size) == ("batch", kv, head)
        assert isinstance(total, str)


@torch.inference_mode()
@pytest.mark.parametrize(("batch", "length"), [(1, 1), (1, 6), (2, 3), (5, 4)])
def test_prefill_equals_pytorch(
    exported: tuple[Student, bytes], opened: Opened, batch: int, length: int
) -> None:
    student, data = exported
    events = torch.randn(batch, length, student.shape.width)
    found, cache = opened(student, data).run(events.numpy())
    assert worst("prefill", found, student(events)[:, -1]) < 1e-5
    assert cache[0][0].shape[2] == length


def test_a_small_tower_is_few_operators(exported: tuple[Student, bytes]) -> None:
    """Each costs a microsecond or two, more than its arithmetic."""
    student, data = exported
    nodes = onnx.load_model_from_string(data).graph.node
    assert len(nodes) <= 20 + 16 * student.shape.blocks


@torch.inference_mode()
def test_append_equals_pytorch_from_an_empty_past(
    exported: tuple[Student, bytes], opened: Opened
) -> None:
    student, data = exported
    tower = opened(student, data)
    events = torch.randn(3, 8, student.shape.width)
    whole, past, at = student(events), None, 0
    for length in (1, 1, 3, 1, 2):
        found, past = tower.run(events[:, at : at + length].numpy(), past)
        at += length
        assert worst(f"{at} events", found, whole[:, at - 1]) < 1e-5
    assert past[-1][1].shape == (3, student.shape.kv_heads, 8, student.shape.head_dim)


def test_nothing_of_this_machine_is_in_the_bytes(exported: tuple[Student, bytes]) -> None:
    _, data = exported
    root = Path(__file__).parents[3]
    secrets = [str(root), str(Path.home()), str(Path(torch.__file__).parent)]
    # A name as short as "vm" or "root" may stand in any weights.
    secrets += [name for name in (getpass.getuser(), socket.gethostname()) if len(name) > 5]
    for secret in [*secrets, "site-packages", ".py", "Traceback", "pocketrec_distill"]:
        assert secret.encode() not in data, secret


def test_no_doc_string_or_metadata_is_left(exported: tuple[Student, bytes]) -> None:
    model = onnx.load_model_from_string(exported[1])
    graph = model.graph
    entries = [model, graph, *graph.node, *graph.input, *graph.output, *graph.initializer]
    entries += [*graph.value_info, *model.functions]
    assert len(entries) > 20
    assert not any(entry.doc_string for entry in entries)
    assert not any(entry.metadata_props for entry in entries)


def test_weights_are_inside(exported: tuple[Student, bytes]) -> None:
    student, data = exported
    graph = onnx.load_model_from_string(data).graph
    assert all(tensor.data_location == onnx.TensorProto.DEFAULT for tensor in graph.initializer)
    # The catalogue is no part of the tower.
    size = sum(p.numel() for name, p in student.named_parameters() if "items." not in name)
    assert 4 * size <= len(data) < 4 * size + 60_000


def test_the_same_student_gives_the_same_bytes() -> None:
    student = made(SHAPES["one block"])
    assert export_user_tower(student) == export_user_tower(student)


def test_the_int8_variant_runs_and_stays_near(
    exported: tuple[Student, bytes], opened: Opened
) -> None:
    student, data = exported
    small = quantize_model(data)
    nodes = {node.op_type for node in onnx.load_model_from_string(small).graph.node}
    assert "MatMulInteger" in nodes
    events = torch.randn(2, 5, student.shape.width)
    with torch.inference_mode():
        expected = student(events)[:, -1].numpy()
    tower = opened(student, small)
    found, past = tower.run(events[:, :4].numpy())
    found, _ = tower.run(events[:, 4:].numpy(), past)
    cosine = (found * expected).sum(axis=1)
    cosine /= np.linalg.norm(found, axis=1) * np.linalg.norm(expected, axis=1)
    print(f"int8: cosine {cosine.min():.4f}")  # noqa: T201  (says how close)
    assert cosine.min() > 0.95
    assert not np.array_equal(found, expected)


def test_a_bundle_of_it_ranks_as_pytorch_does(
    exported: tuple[Student, bytes], check_ranks_as_pytorch: Callable[..., None]
) -> None:
    check_ranks_as_pytorch(*exported, WINDOW)
