"""What every backend of the user tower offers; `tests/runtime/contract` holds all of them to it."""

import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pocketrec_runtime.errors import BundleFormatError, InputError
from pocketrec_runtime.shape import ModelShape
from pocketrec_runtime.state import Cache


@dataclass(frozen=True)
class Account:
    """What a tower was asked to run on, and what it runs on.

    Attributes:
        backend: "onnx", "llama" or "numpy".
        file: The bundle's file that it runs.
        precision: How the file stores weights, for example "float32" or "Q8_0".
        cache: How cached keys and values are stored, "float32" or "float16".
        threads: Threads of one run.
        requested: Devices that were asked for, in order of preference.
        available: Devices that the installed package offers.
        used: Devices that run at least one operator.
        operators: Operators by device, empty where the package does not say.
    """

    backend: str
    file: str
    precision: str
    cache: str
    threads: int
    requested: tuple[str, ...]
    available: tuple[str, ...]
    used: tuple[str, ...]
    operators: Mapping[str, int] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The form that stands in JSON answers."""
        return asdict(self)


class UserTower(Protocol):
    """History to user vector, with a cache of the positions computed so far.

    A cache is a value: `run` gives a new one and leaves the old one as it was. Towers are safe to
    share among threads.
    """

    @property
    def account(self) -> Account:
        """What it runs on."""
        ...

    @property
    def computed_positions(self) -> int:
        """Positions computed so far: an append that really reuses its cache adds one."""
        ...

    def run(
        self, item_vectors: NDArray[np.float32], past: Cache | None = None
    ) -> tuple[NDArray[np.float32], Cache]:
        """User vectors after the last event, and the grown cache.

        Args:
            item_vectors: float32 (batch, length, width), length at least 1, oldest event first.
            past: The cache of the positions before, of the same batch; None for none.

        Returns:
            User vectors, float32 (batch, width), finite, and the cache of all positions.

        Raises:
            InputError: The item vectors have another shape or dtype.
            StateError: The cache is of another tower or batch, or can no longer be used.
            BundleFormatError: The model fails, or answers with another shape or with NaN.
        """
        ...

    def fits(self, cache: Cache, positions: int) -> bool:
        """Whether this tower can go on from a cache of one history of that many positions."""
        ...

    def split(self, cache: Cache) -> list[Cache]:
        """A cache of each history of a batch, in order."""
        ...

    def repeat(self, cache: Cache, times: int) -> Cache:
        """One history's cache as the shared prefix of a batch of `times`.

        Raises:
            InputError: The cache is of several histories, or `times` is below 1.
        """
        ...

    def save(self, cache: Cache) -> bytes:
        """One history's cache as bytes that `load` of the same kind of tower reads.

        Raises:
            InputError: The cache is of several histories.
        """
        ...

    def load(self, data: bytes, positions: int) -> Cache:
        """The cache of one history of that many positions, from what `save` gave.

        Raises:
            StateError: The bytes are not those of such a cache; prefill again.
        """
        ...


class Counter:
    """A number that threads add to."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._value = 0

    @property
    def value(self) -> int:
        """The sum so far."""
        return self._value

    def add(self, amount: int) -> None:
        """Adds; no addition is lost."""
        with self._lock:
            self._value += amount


def check_item_vectors(item_vectors: NDArray[np.float32], width: int) -> None:
    """Returns where item vectors are what `UserTower.run` takes.

    Raises:
        InputError: They are not.
    """
    if item_vectors.dtype != np.float32 or item_vectors.ndim != 3:
        raise InputError(
            f"item_vectors are {item_vectors.dtype} {item_vectors.shape}; "
            f"give float32 (batch, length, {width})"
        )
    if 0 in item_vectors.shape or item_vectors.shape[2] != width:
        raise InputError(
            f"item_vectors have shape {item_vectors.shape}; give (batch, length, {width}) "
            "with at least one event"
        )


def check_user_vectors(
    vectors: NDArray[np.float32], batch: int, shape: ModelShape, file: str
) -> None:
    """Returns where a model answered with finite user vectors of the right shape.

    Raises:
        BundleFormatError: It did not.
    """
    if vectors.shape != (batch, shape.width):
        raise BundleFormatError(f"{file} answered {vectors.shape}; expected {(batch, shape.width)}")
    if not np.isfinite(vectors).all():
        raise BundleFormatError(f"{file} answered NaN or infinity; export it again")
