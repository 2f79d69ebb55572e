"""The user tower on ONNX Runtime."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pocketrec_runtime.errors import BundleFormatError
from pocketrec_runtime.shape import ModelShape
from pocketrec_runtime.state import KV, Cache
from pocketrec_runtime.towers.array_cache import ArrayCaches
from pocketrec_runtime.towers.contract import (
    Account,
    Counter,
    check_item_vectors,
    check_user_vectors,
)
from pocketrec_runtime.towers.providers import (
    CPU,
    available_devices,
    operators_by_device,
    short_name,
)
from pocketrec_runtime.towers.session import Dims, check_ports, open_session, run

_FILE = "user_tower.onnx"


class OnnxUserTower(ArrayCaches):
    """History to user vector, with an explicit key/value cache. Safe to share among threads.

    Args:
        model: Bytes of `user_tower.onnx`.
        shape: The sizes that its inputs and outputs must have.
        threads: Threads of one run.
        devices: Execution providers by name, in order of preference; see `provider_names`.

    Raises:
        InputError: A device is not there.
        BundleFormatError: No ONNX model, external data, or inputs and outputs of other names,
            types or shapes than docs/bundle-format.md asks for.
    """

    def __init__(
        self,
        model: bytes,
        shape: ModelShape,
        threads: int = 1,
        devices: Sequence[str] = (CPU,),
    ) -> None:
        super().__init__(shape)
        self._session = open_session(model, _FILE, threads, devices)
        self._threads, self._devices = threads, tuple(devices)
        # The names of the operators that unpack rounded weights stand in the model as they are.
        rounded = any(name in model for name in (b"DequantizeLinear", b"MatMulNBits"))
        rounded = rounded or b"MatMulInteger" in model
        self._precision = "rounded" if rounded else "float32"
        self._computed = Counter()
        cache: Dims = (None, shape.kv_heads, None, shape.head_dim)
        pairs = [(f"{i}.key", f"{i}.value") for i in range(shape.blocks)]
        names = [name for pair in pairs for name in pair]
        self._past_names = [(f"past_key_values.{key}", f"past_key_values.{value}")
                            for key, value in pairs]  # fmt: skip
        self._outputs = ["user_vector", *(f"present.{name}" for name in names)]
        check_ports(
            self._session,
            _FILE,
            inputs={
                "item_vectors": ("tensor(float)", (None, None, shape.width)),
                **{f"past_key_values.{name}": ("tensor(float)", cache) for name in names},
            },
            outputs={
                "user_vector": ("tensor(float)", (None, shape.width)),
                **{f"present.{name}": ("tensor(float)", cache) for name in names},
            },
        )

    @property
    def account(self) -> Account:
        """What it runs on."""
        given = tuple(map(short_name, self._session.get_providers()))
        # Where there is a choice only, ONNX Runtime was told to keep count.
        operators = operators_by_device(self._session) if len(given) > 1 else {}
        return Account(
            backend="onnx",
            file=_FILE,
            precision=self._precision,
            cache="float32",
            threads=self._threads,
            requested=self._devices,
            available=available_devices(),
            used=tuple(operators) or given,
            operators=operators,
        )

    @property
    def computed_positions(self) -> int:
        """Positions computed so far."""
        return self._computed.value

    def run(
        self, item_vectors: NDArray[np.float32], past: Cache | None = None
    ) -> tuple[NDArray[np.float32], KV]:
        """As `UserTower.run`."""
        check_item_vectors(item_vectors, self._shape.width)
        batch, added = item_vectors.shape[:2]
        before = self.empty(batch) if past is None else self.of_arrays(past)
        feed = {"item_vectors": item_vectors}
        for names, pair in zip(self._past_names, before, strict=True):
            feed.update(zip(names, pair, strict=True))
        vectors, *cache = run(self._session, self._outputs, feed, _FILE)
        self._computed.add(batch * added)
        check_user_vectors(vectors, batch, self._shape, _FILE)
        self._check_cache(cache, batch, before[0][0].shape[2] + added)
        return vectors, tuple(zip(cache[::2], cache[1::2], strict=True))

    def _check_cache(self, cache: list[NDArray[np.float32]], batch: int, length: int) -> None:
        expected = self._array_shape(batch, length)
        if any(array.shape != expected for array in cache):
            raise BundleFormatError(
                f"{_FILE} answered caches of {[array.shape for array in cache]}; "
                f"expected {expected}"
            )
