"""What a result calls the precision of a tower is what the tower's file holds."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from pocketrec_bench.weights import stored_weights
from pocketrec_runtime import Engine, read_bundle
from pocketrec_runtime.onnx_guard import weight_bytes
from pocketrec_runtime.towers import RunSettings


def _model(**tensors: np.ndarray) -> bytes:
    kept = [numpy_helper.from_array(values, name) for name, values in tensors.items()]
    packed = TensorProto(name="packed", data_type=TensorProto.INT4, dims=[3, 4], raw_data=b"012345")
    graph = helper.make_graph([], "weights", [], [], [*kept, packed])
    return onnx.ModelProto(graph=graph).SerializeToString()


def test_bytes_are_counted_by_how_numbers_are_stored() -> None:
    found = weight_bytes(
        _model(a=np.zeros((5, 3), np.float32), b=np.ones(7, np.int8), c=np.ones(2, np.int8)), "m"
    )
    assert found == {"float32": 60, "int8": 9, "int4": 6}


@pytest.mark.parametrize(("backend", "weights"), [("onnx", "float32"), ("llama", "Q8_0")])
def test_a_tower_is_called_what_most_of_its_bytes_are(golden_bundle, backend, weights) -> None:
    bundle = read_bundle(golden_bundle)
    account = Engine(bundle, RunSettings(backend=backend)).backend
    assert stored_weights(bundle, account) == weights
    rounded = replace(
        bundle.contents, user_tower=_model(a=np.ones(60, np.int8), axes=np.ones(99, np.int64))
    )
    found = stored_weights(replace(bundle, contents=rounded), account)
    assert found == ("int8" if backend == "onnx" else weights)
