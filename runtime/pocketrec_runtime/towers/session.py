"""ONNX Runtime sessions: opened from bytes, run, and held to names, types and shapes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pocketrec_runtime.errors import BundleFormatError, InputError
from pocketrec_runtime.onnx_guard import refuse_external_data, refuse_nan_weights
from pocketrec_runtime.towers.providers import ASSIGNMENT_KEY, CPU, provider_names

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

Dims = tuple[int | None, ...]
"""Sizes of the axes of one input or output; None where it is dynamic."""
Ports = dict[str, tuple[str, Dims]]
"""Name -> ONNX Runtime's type name and sizes."""

# Matrices stored in few bits are multiplied with float activations. ONNX Runtime would round these
# to 8 bits where it is faster, and a difference in their last bits, such as between one appended
# event and the same event in a longer run, would now and then round to another number.
_FLOAT_ACTIVATIONS = ("session.qdq_matmulnbits_accuracy_level", "1")


def open_session(
    model: bytes, name: str, threads: int, devices: Sequence[str] = (CPU,)
) -> "InferenceSession":
    """A session of a model that holds all of its tensors itself.

    Raises:
        InputError: `threads` below 1, or a device that is not there.
        BundleFormatError: External data, or no model that ONNX Runtime opens.
    """
    if threads < 1:
        raise InputError(f"threads is {threads}; give at least 1")
    refuse_external_data(model, name)
    refuse_nan_weights(model, name)
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    # Lengths change with every event, so that remembered memory patterns would only grow.
    options.enable_mem_pattern = False
    # Errors arrive as exceptions; ONNX Runtime would also print them.
    options.log_severity_level = 4
    options.add_session_config_entry(*_FLOAT_ACTIVATIONS)
    providers = provider_names(devices)
    if len(providers) > 1:
        options.add_session_config_entry(ASSIGNMENT_KEY, "1")
    try:
        # A provider that fails to start is an error, never a silent step down to the processor.
        return onnxruntime.InferenceSession(model, options, providers, enable_fallback=0)
    except _ort_errors() as error:
        raise BundleFormatError(f"{name} is no model that ONNX Runtime opens: {error}") from error


def run(
    session: "InferenceSession", outputs: list[str], feed: dict[str, NDArray[Any]], name: str
) -> list[NDArray[np.float32]]:
    """The named outputs for a feed.

    Raises:
        BundleFormatError: The model fails.
    """
    try:
        answer: list[NDArray[np.float32]] = session.run(outputs, feed)
    except _ort_errors() as error:
        raise BundleFormatError(f"{name} failed to run: {error}") from error
    return answer


def check_ports(session: "InferenceSession", name: str, inputs: Ports, outputs: Ports) -> None:
    """Returns where a model has exactly these inputs and outputs.

    Raises:
        BundleFormatError: It has others, or of other types or sizes.
    """
    for kind, found, expected in (
        ("inputs", session.get_inputs(), inputs),
        ("outputs", session.get_outputs(), outputs),
    ):
        ports = {port.name: port for port in found}
        if set(ports) != set(expected):
            raise BundleFormatError(
                f"{name} has {kind} {sorted(ports)}; it needs {sorted(expected)}"
            )
        for port_name, (dtype, dims) in expected.items():
            port = ports[port_name]
            if port.type != dtype or not _fits(port.shape, dims):
                raise BundleFormatError(
                    f"{name}: {port_name} is {port.type} {port.shape}; it needs {dtype} "
                    f"{['any' if dim is None else dim for dim in dims]}"
                )


def _fits(found: Sequence[int | str | None], expected: Dims) -> bool:
    """A dynamic size must be symbolic; a fixed size may be, and is then checked at every run."""
    return len(found) == len(expected) and all(
        not isinstance(size, int) if want is None else size == want or not isinstance(size, int)
        for size, want in zip(found, expected, strict=True)
    )


def _ort_errors() -> tuple[type[Exception], ...]:
    """ONNX Runtime's exceptions, which share no base class of their own."""
    from onnxruntime.capi import onnxruntime_pybind11_state as ort

    own = (kind for kind in vars(ort).values() if isinstance(kind, type))
    return (*(kind for kind in own if issubclass(kind, Exception)), RuntimeError, ValueError)
