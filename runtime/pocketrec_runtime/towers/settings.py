"""How a bundle is run on this device: backend, devices, threads."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from pocketrec_runtime.errors import InputError

Backend = Literal["onnx", "llama", "numpy"]
CachePrecision = Literal["float32", "float16"]
MAX_THREADS = 1024


@dataclass(frozen=True)
class RunSettings:
    """How the user tower runs; the answers are the same within the backend's rounding.

    Attributes:
        backend: "onnx", "llama" (llama.cpp) or "numpy"; "auto" is ONNX where the bundle has
            it, then llama.cpp where it is installed, then NumPy.
        providers: ONNX Runtime's execution providers by name, in order of preference.
        threads: Threads of one model run.
        cache: How llama.cpp stores keys and values; the other backends keep float32.
        gpu_layers: Blocks that llama.cpp gives to a GPU; -1 is all of them.
    """

    backend: Backend | Literal["auto"] = "auto"
    providers: tuple[str, ...] = ("cpu",)
    threads: int = 1
    cache: CachePrecision = "float32"
    gpu_layers: int = 0

    def __post_init__(self) -> None:
        if self.backend not in ("auto", *get_args(Backend)):
            raise InputError(
                f"backend is {self.backend!r}; give auto, {', '.join(get_args(Backend))}"
            )
        if self.cache not in get_args(CachePrecision):
            raise InputError(f"cache is {self.cache!r}; give float32 or float16")
        if not 1 <= self.threads <= MAX_THREADS:
            raise InputError(f"threads is {self.threads}; give 1 to {MAX_THREADS}")
        if self.gpu_layers < -1:
            raise InputError(f"gpu_layers is {self.gpu_layers}; give -1 for all, or 0 and more")

    def as_dict(self) -> dict[str, Any]:
        """The form that stands in profiles and JSON answers."""
        return asdict(self) | {"providers": list(self.providers)}
