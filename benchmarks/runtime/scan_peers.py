"""Other ways to find the best items of a catalogue: those that are installed here."""

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketrec_runtime import Catalogue

PACKAGES = ("faiss-cpu", "usearch", "simsimd", "numkong", "onnx")
Search = Callable[[NDArray[np.float32]], NDArray[np.int64]]


def searches(catalogue: Catalogue, k: int) -> dict[str, Search]:
    """Name -> search for the k best items of a query (width,); biases are left out by all."""
    return dict(_searches(catalogue, k))


def _searches(catalogue: Catalogue, k: int) -> Iterator[tuple[str, Search]]:
    vectors = catalogue.vectors
    yield "NumPy float32, matmul + argpartition", _numpy(vectors, k)
    if find_spec("faiss"):
        yield from _faiss(vectors, k)
    # In one process with usearch, simsimd refuses every array.
    if find_spec("simsimd"):
        yield "simsimd int8 + argpartition", _simsimd(catalogue, k)
    elif find_spec("usearch"):
        yield "usearch exact, float32", _usearch(vectors, k)
    if find_spec("numkong"):
        yield "numkong int8 packed + argpartition", _numkong(catalogue, k)
    if find_spec("onnx"):
        yield "ONNX Runtime int8 + TopK", _onnx_top_k(catalogue, k)


def _top(scores: NDArray[Any], k: int) -> NDArray[np.int64]:
    found = np.argpartition(scores, scores.size - k)[scores.size - k :]
    return found[np.argsort(-scores[found], kind="stable")]


def _numpy(vectors: NDArray[np.float32], k: int) -> Search:
    return lambda query: _top(vectors @ query, k)


def _faiss(vectors: NDArray[np.float32], k: int) -> Iterator[tuple[str, Search]]:
    import faiss

    faiss.omp_set_num_threads(1)
    width = vectors.shape[1]
    flat = faiss.IndexFlatIP(width)
    flat.add(vectors)
    yield "faiss flat, float32", lambda query: flat.search(query[None], k)[1][0]
    quantized = faiss.IndexScalarQuantizer(
        width, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
    )
    quantized.train(vectors)
    quantized.add(vectors)
    yield "faiss SQ8 (not exact)", lambda query: quantized.search(query[None], k)[1][0]


def _usearch(vectors: NDArray[np.float32], k: int) -> Search:
    from usearch.index import MetricKind, search

    def run(query: NDArray[np.float32]) -> NDArray[np.int64]:
        keys = search(vectors, query, k, MetricKind.IP, exact=True, threads=1).keys
        return np.asarray(keys, np.int64)

    return run


def _codes(query: NDArray[np.float32]) -> NDArray[np.int8]:
    return np.rint(query * (127 / np.abs(query).max())).astype(np.int8).reshape(1, -1)


def _simsimd(catalogue: Catalogue, k: int) -> Search:
    import simsimd

    rows, scales = np.ascontiguousarray(catalogue.rows), catalogue.scales
    return lambda query: _top(
        np.asarray(simsimd.cdist(_codes(query), rows, metric="dot"))[0] * scales, k
    )


def _numkong(catalogue: Catalogue, k: int) -> Search:
    import numkong

    packed = numkong.dots_pack(np.ascontiguousarray(catalogue.rows), "int8")
    scales = catalogue.scales
    return lambda query: _top(np.asarray(numkong.dots_packed(_codes(query), packed))[0] * scales, k)


def _onnx_top_k(catalogue: Catalogue, k: int) -> Search:
    """The usual int8 graph: query quantized inside, one product over all rows, TopK."""
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    if catalogue.scales is None:
        raise ValueError("this peer needs int8 rows")
    constants = {
        "rows": np.ascontiguousarray(catalogue.rows.T),
        "scales": catalogue.scales[None],
        "k": np.array([k], np.int64),
    }
    steps = (
        ("DynamicQuantizeLinear", ["query"], ["codes", "step", "zero"]),
        ("MatMulInteger", ["codes", "rows", "zero"], ["products"]),
        ("Cast", ["products"], ["floats"]),
        ("Mul", ["floats", "scales"], ["scores"]),
        ("TopK", ["scores", "k"], ["values", "indices"]),
    )
    nodes = [
        helper.make_node(op, inputs, outputs, **({"to": TensorProto.FLOAT} if op == "Cast" else {}))
        for op, inputs, outputs in steps
    ]
    graph = helper.make_graph(
        nodes,
        "int8_top_k",
        [helper.make_tensor_value_info("query", TensorProto.FLOAT, [1, catalogue.width])],
        [helper.make_tensor_value_info("indices", TensorProto.INT64, [1, k])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return lambda query: session.run(None, {"query": query[None]})[0][0]
