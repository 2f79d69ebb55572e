"""What an exported tower stores, read back: every shipped form, exactly as it multiplies."""

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from pocketrec_distill.export import export_user_tower, quantize_model
from pocketrec_distill.export.stored import StoredForm, stored_floats, stored_form
from pocketrec_distill.export.weight_only import quantize_matrix
from pocketrec_distill.models import TowerShape
from pocketrec_distill.models.student import Student

MATRICES = ("attention_in", "attention_out", "feed_in", "feed_out")
# Blocks of 32 inputs, of 16, and (20 inputs) one block for all of them.
SHAPES = (
    TowerShape(width=32, blocks=2, heads=4, kv_heads=2, hidden=48),
    TowerShape(width=20, blocks=1, heads=2, kv_heads=1, hidden=64),
)
FORMS = [StoredForm(bits, folded) for bits in (8, 4) for folded in (True, False)]


def exported(shape: TowerShape) -> bytes:
    torch.manual_seed(5)
    student = Student(9, shape, None)
    for parameter in student.parameters():
        torch.nn.init.normal_(parameter, mean=float(parameter.ndim == 1), std=0.3)
    return export_user_tower(student)


def initializers(model: bytes) -> dict[str, np.ndarray]:
    graph = onnx.load_model_from_string(model).graph
    return {entry.name: numpy_helper.to_array(entry) for entry in graph.initializer}


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: f"width {shape.width}")
@pytest.mark.parametrize("form", FORMS, ids=str)
def test_matrices_are_codes_times_scales(form: StoredForm, shape: TowerShape) -> None:
    fp32 = exported(shape)
    exact, found = initializers(fp32), stored_floats(form.store(fp32))
    for block in range(shape.blocks):
        for part in MATRICES:
            name = f"blocks.{block}.{part}"
            codes, scales = quantize_matrix(exact[name], form.bits)
            assert np.abs(codes * np.repeat(scales, len(codes) // len(scales), 0)).max() > 0.1
            np.testing.assert_array_equal(
                found[name], codes * np.repeat(scales, len(codes) // len(scales), axis=0)
            )
    norm = "blocks.0.attention_norm.weight"
    np.testing.assert_array_equal(found[norm], exact[norm])


def test_floats_come_back_as_they_are() -> None:
    fp32 = exported(SHAPES[0])
    found = stored_floats(fp32)
    exact = {name: v for name, v in initializers(fp32).items() if v.dtype == np.float32}
    assert found.keys() == exact.keys()
    assert all(np.array_equal(found[name], exact[name]) for name in exact)


@pytest.mark.parametrize("form", [StoredForm(), *FORMS], ids=str)
def test_the_form_is_recognised(form: StoredForm) -> None:
    assert stored_form(form.store(exported(SHAPES[0]))) == form


def test_quantized_activations_leave_no_float_matrix() -> None:
    model = quantize_model(exported(SHAPES[0]))
    assert not any(name.endswith(MATRICES) for name in stored_floats(model))
    assert stored_form(model) == StoredForm()
