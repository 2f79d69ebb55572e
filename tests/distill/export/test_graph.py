"""A graph written by hand: constants keep their shapes, and what is not standard is refused."""

import numpy as np
import onnx
import pytest
import torch

from pocketrec_distill.export.graph import IR_VERSION, OPSET, Graph, Port


def test_a_sum_of_products() -> None:
    import onnxruntime

    graph = Graph()
    matrix = torch.arange(6.0).reshape(2, 3)
    # Its transpose does not lie in rows.
    product = graph.op("MatMul", "x", graph.weight("matrix", matrix.T))
    first, second = graph.split(product, [1, 1])
    graph.op("Add", graph.op("Mul", first, graph.number(2)), second, name="y")
    model = graph.model("sum", [Port("x", ("rows", 3))], [Port("y", ("rows", 1))])
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    x = np.array([[1, 0, 2], [0, 1, 0]], np.float32)
    (found,) = session.run(None, {"x": x})
    expected = x @ matrix.T.numpy() @ [[2], [1]]
    assert found.tolist() == expected.tolist()


def test_constants_are_stored_once_and_scalars_have_no_axis() -> None:
    graph = Graph()
    for value in (graph.number(2), graph.number(2), graph.whole(2), graph.whole([2])):
        graph.op("Identity", value)
    graph.op("Identity", "x", name="y")
    model = onnx.load_model_from_string(graph.model("some", [Port("x", (1,))], [Port("y", (1,))]))
    shapes = [list(entry.dims) for entry in model.graph.initializer]
    assert shapes == [[], [], [1]]
    assert (model.ir_version, model.opset_import[0].version) == (IR_VERSION, OPSET)
    assert not model.opset_import[0].domain


def test_an_operator_that_is_none_is_refused() -> None:
    graph = Graph()
    graph.op("FusedMatMul", "x", "x", name="y")
    with pytest.raises(onnx.checker.ValidationError, match="FusedMatMul"):
        graph.model("bad", [Port("x", (2, 2))], [Port("y", (2, 2))])


def test_sizes_that_do_not_fit_are_refused() -> None:
    graph = Graph()
    graph.op("MatMul", "x", graph.weight("matrix", torch.zeros(4, 2)), name="y")
    with pytest.raises(onnx.shape_inference.InferenceError):
        graph.model("bad", [Port("x", ("rows", 3))], [Port("y", ("rows", 2))])
