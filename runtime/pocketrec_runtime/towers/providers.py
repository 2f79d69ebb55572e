"""ONNX Runtime's execution providers by short names, and where a model's operators really run."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pocketrec_runtime.errors import InputError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

CPU = "cpu"
_SUFFIX = "ExecutionProvider"
# What people say where it is not ONNX Runtime's own name, in lower case.
_ALIASES = {"directml": "dml"}
# Set in the session's options, so that ONNX Runtime keeps count of where operators were put.
ASSIGNMENT_KEY = "session.record_ep_graph_assignment_info"


def short_name(provider: str) -> str:
    """ONNX Runtime's name as we say it: CoreMLExecutionProvider is "coreml"."""
    return provider.removesuffix(_SUFFIX).lower()


def available_devices() -> tuple[str, ...]:
    """Short names of the execution providers that the installed ONNX Runtime offers."""
    import onnxruntime

    return tuple(short_name(name) for name in onnxruntime.get_available_providers())


def provider_names(devices: Sequence[str]) -> list[str]:
    """ONNX Runtime's names for devices, in order of preference; the processor always comes last.

    Args:
        devices: Short names such as "cuda", "coreml", "qnn", "directml", "webgpu" or "cpu", or
            ONNX Runtime's own names.

    Raises:
        InputError: One is not among `available_devices()`, or there are none.
    """
    if isinstance(devices, str) or not devices:
        raise InputError(f"providers is {devices!r}; give a sequence of names such as ('cpu',)")
    import onnxruntime

    offered = {name.lower(): name for name in onnxruntime.get_available_providers()}
    names = []
    for device in devices:
        wanted = short_name(device)
        full = f"{_ALIASES.get(wanted, wanted)}{_SUFFIX}".lower()
        if full not in offered:
            raise InputError(
                f"provider {device!r} is not in the installed ONNX Runtime; it has "
                f"{', '.join(map(short_name, offered.values()))}"
            )
        names.append(offered[full])
    cpu = offered[f"{CPU}{_SUFFIX}".lower()]
    return [*(name for name in dict.fromkeys(names) if name != cpu), cpu]


def operators_by_device(session: "InferenceSession") -> dict[str, int]:
    """Operators of a model by the device that runs them; empty where ONNX Runtime is too old.

    A provider that was asked for and took no operator is not in it. Needs `ASSIGNMENT_KEY`.
    """
    counts: Counter[str] = Counter()
    if not hasattr(session, "get_provider_graph_assignment_info"):
        return {}
    for part in session.get_provider_graph_assignment_info():
        counts[short_name(part.ep_name)] += len(part.get_nodes())
    return dict(counts)
