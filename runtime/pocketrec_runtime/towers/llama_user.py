"""The user tower on llama.cpp.

llama.cpp computes on a few sequences that it holds itself. What this tower gives out as a cache is
a copy of one, as bytes: a value that may be kept, saved and gone on from twice. A sequence that
still holds what a cache says is gone on with directly; otherwise the copy is put back first.
"""

import hashlib
import threading
from dataclasses import dataclass
from importlib import metadata

import numpy as np
from numpy.typing import NDArray

from pocketrec_runtime.errors import InputError, StateError
from pocketrec_runtime.gguf.tower import FILE, check_tower
from pocketrec_runtime.shape import ModelShape
from pocketrec_runtime.state import Cache
from pocketrec_runtime.towers.contract import (
    Account,
    Counter,
    check_item_vectors,
    check_user_vectors,
)
from pocketrec_runtime.towers.llama_context import LlamaContext, llama_devices
from pocketrec_runtime.towers.settings import RunSettings

_DIGEST_BYTES = 32


@dataclass(frozen=True, eq=False)
class LlamaCache:
    """Positions of some histories, copied out of llama.cpp.

    Attributes:
        rows: One history each, as llama.cpp writes a sequence.
        positions: Positions of each.
        owner: What they can be put back into: the model, llama.cpp's version, how it keeps them.
    """

    rows: tuple[bytes, ...]
    positions: int
    owner: bytes

    @property
    def batch(self) -> int:
        """Histories in it."""
        return len(self.rows)

    @property
    def size_bytes(self) -> int:
        """Bytes that its positions take; a row that stands there twice counts once."""
        return sum(len(row) for row in {id(row): row for row in self.rows}.values())


class LlamaUserTower:
    """History to user vector in llama.cpp. Threads may share it; one of them runs at a time.

    Args:
        model: Bytes of `user_tower.gguf`.
        shape: The sizes that it must have.
        settings: Threads, cache precision, layers on a GPU.

    Raises:
        MissingExtraError: llama-cpp-python is not installed.
        InputError: Layers for a GPU that llama.cpp was not built for.
        BundleFormatError: It is no tower file of this shape, or llama.cpp does not open it.
    """

    def __init__(self, model: bytes, shape: ModelShape, settings: RunSettings) -> None:
        self._shape, self._settings = shape, settings
        self._tower = check_tower(model, shape)
        self._context = LlamaContext(model, self._tower, shape, settings)
        self._sequences = _Sequences(self._context)
        self._lock = threading.Lock()
        self._computed = Counter()
        version = metadata.version("llama-cpp-python")
        kept = f"{version} {settings.cache} {settings.gpu_layers}"
        self._owner = hashlib.sha256(model + kept.encode()).digest()

    @property
    def account(self) -> Account:
        """What it runs on."""
        settings = self._settings
        devices = ("gpu", "cpu") if settings.gpu_layers else ("cpu",)
        return Account(
            backend="llama",
            file=FILE,
            precision=self._tower.precision,
            cache=settings.cache,
            threads=settings.threads,
            requested=devices,
            available=llama_devices(),
            used=devices,
        )

    @property
    def computed_positions(self) -> int:
        """Positions computed so far."""
        return self._computed.value

    def run(
        self, item_vectors: NDArray[np.float32], past: Cache | None = None
    ) -> tuple[NDArray[np.float32], LlamaCache]:
        """As `UserTower.run`; a history may have as many positions as the window."""
        check_item_vectors(item_vectors, self._shape.width)
        batch, length = item_vectors.shape[:2]
        cache = None if past is None else self._own(past, batch)
        before = 0 if cache is None else cache.positions
        self._check_length(before + length)
        states = self._tower.edges.enter_blocks(item_vectors)
        normed = np.empty((batch, self._tower.inner), np.float32)
        grown: list[bytes] = []
        at_once = max(1, min(self._context.sequences, self._context.positions // length))
        with self._lock:
            for start in range(0, batch, at_once):
                part = slice(start, min(batch, start + at_once))
                rows = None if cache is None else cache.rows[part]
                sequences = self._sequences.place(rows, part.stop - start, before)
                normed[part] = self._context.decode(states[part], sequences, before)
                grown += self._sequences.taken(sequences)
        self._computed.add(batch * length)
        vectors = self._tower.edges.leave_blocks(normed, item_vectors[:, -1])
        check_user_vectors(vectors, batch, self._shape, FILE)
        return vectors, LlamaCache(tuple(grown), before + length, self._owner)

    def fits(self, cache: Cache, positions: int) -> bool:
        """As `UserTower.fits`."""
        return (
            isinstance(cache, LlamaCache)
            and cache.owner == self._owner
            and (cache.batch, cache.positions) == (1, positions)
        )

    def split(self, cache: Cache) -> list[Cache]:
        """As `UserTower.split`."""
        own = self._own(cache)
        return [LlamaCache((row,), own.positions, self._owner) for row in own.rows]

    def repeat(self, cache: Cache, times: int) -> Cache:
        """As `UserTower.repeat`; llama.cpp copies the prefix from sequence to sequence."""
        own = self._own(cache, 1)
        if times < 1:
            raise InputError(f"times is {times}; give at least 1")
        return LlamaCache(own.rows * times, own.positions, self._owner)

    def save(self, cache: Cache) -> bytes:
        """As `UserTower.save`: a SHA-256 over owner and positions, then llama.cpp's bytes."""
        own = self._own(cache, 1)
        return self._digest(own.rows[0], own.positions) + own.rows[0]

    def load(self, data: bytes, positions: int) -> Cache:
        """As `UserTower.load`; bytes of another llama.cpp, model or cache precision are refused."""
        row = data[_DIGEST_BYTES:]
        if data[:_DIGEST_BYTES] != self._digest(row, positions):
            raise StateError(
                f"the saved cache of {len(data)} bytes is damaged, or not {positions} positions "
                "of this model in this llama.cpp; prefill again"
            )
        return LlamaCache((row,), positions, self._owner)

    def _digest(self, row: bytes, positions: int) -> bytes:
        return hashlib.sha256(self._owner + positions.to_bytes(8, "little") + row).digest()

    def _own(self, cache: Cache, batch: int | None = None) -> LlamaCache:
        if not isinstance(cache, LlamaCache) or cache.owner != self._owner:
            raise StateError(
                f"the cache is a {type(cache).__name__} of another backend, model or llama.cpp; "
                "rebuild it with prefill"
            )
        if batch is not None and cache.batch != batch:
            wanted = "split it first" if batch == 1 else f"this run has {batch}"
            raise InputError(f"the cache is of {cache.batch} histories; {wanted}")
        return cache

    def _check_length(self, length: int) -> None:
        if length > self._context.positions:
            raise InputError(
                f"a history of {length} events; this tower reads {self._shape.window} at most"
            )


class _Sequences:
    """Which copy each of llama.cpp's sequences holds right now, the least lately used first."""

    def __init__(self, context: LlamaContext) -> None:
        self._context = context
        self._held: dict[int, bytes | None] = dict.fromkeys(range(context.sequences))

    def place(self, rows: tuple[bytes, ...] | None, count: int, positions: int) -> list[int]:
        """A sequence for each row with the row's positions in it; empty ones for None.

        From now until `taken`, nobody knows what they hold: a run that fails leaves it so.
        """
        if rows is None:
            chosen = list(self._held)[:count]
            for sequence in chosen:
                self._context.clear(sequence)
            return self._used(chosen)
        holders = {id(row): number for number, row in self._held.items() if row is not None}
        sources = [holders.get(id(row)) for row in rows]
        kept = {number for number in sources if number is not None}
        free = iter([number for number in self._held if number not in kept])
        taken: set[int] = set()
        chosen = []
        for row, source in zip(rows, sources, strict=True):
            if source is not None and source not in taken:
                number = source
            else:
                number = next(free)
                self._fill(number, row, holders, positions)
            taken.add(number)
            chosen.append(number)
        return self._used(chosen)

    def _fill(self, number: int, row: bytes, holders: dict[int, int], positions: int) -> None:
        self._held[number] = None
        if id(row) in holders:
            self._context.copy(holders[id(row)], number)
        else:
            self._context.restore(number, row, positions)
            holders[id(row)] = number

    def _used(self, chosen: list[int]) -> list[int]:
        for number in chosen:
            # What it held is about to change; it moves to the end of the order.
            del self._held[number]
            self._held[number] = None
        return chosen

    def taken(self, sequences: list[int]) -> list[bytes]:
        """Copies of what the sequences hold now."""
        rows = [self._context.take(number) for number in sequences]
        self._held.update(zip(sequences, rows, strict=True))
        return rows
