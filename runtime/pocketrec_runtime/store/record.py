"""One user's kept state: in memory as few objects, on disk as one sealed file.

The format is docs/runtime.md, "State files".
"""

import hashlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketrec_runtime.errors import BundleError, StateError
from pocketrec_runtime.history import HistoryReader
from pocketrec_runtime.state import KV, UserState
from pocketrec_runtime.storage import seal, unseal

MAGIC = b"pocketrec-state\n"
FORMAT_VERSION = "1.0"
_INT32 = np.dtype("<i4")
_FLOAT32 = np.dtype("<f4")


@dataclass(frozen=True, eq=False)
class KeptUser:
    """A user's state, how far it goes, and what it answers.

    Attributes:
        state: The state.
        events: Events of the user's history that it has read, those before its window too.
        vector: The user vector after them, float32 (width,).
    """

    state: UserState
    events: int
    vector: NDArray[np.float32]

    def follows(self, history: Sequence[int]) -> bool:
        """Whether a history starts with the events that the state has read.

        Of those before the state's window, which events there were is compared, not their order:
        they count as seen and nothing else.
        """
        read = history[: self.events]
        positions = len(self.state.items)
        return (
            len(read) == self.events
            and tuple(read[self.events - positions :]) == self.state.items
            and self.state.seen == frozenset(read)
        )


@dataclass(frozen=True, eq=False, slots=True)
class PackedUser:
    """A kept user in memory: arrays where `KeptUser` has an object per item.

    Attributes:
        items: int32 (positions,).
        seen: int32, ascending.
        cache: The cache's arrays, or its bytes where a backend holds it out of sight.
        fingerprint: As in `UserState`.
        events: As in `KeptUser`.
        vector: As in `KeptUser`.
    """

    items: NDArray[np.int32]
    seen: NDArray[np.int32]
    cache: KV | bytes
    fingerprint: str
    events: int
    vector: NDArray[np.float32]

    @classmethod
    def pack(cls, kept: KeptUser, reader: HistoryReader) -> "PackedUser":
        """Packs a kept user; the cache's arrays are shared, not copied."""
        state = kept.state
        return cls(
            items=np.array(state.items, np.int32),
            seen=np.sort(np.fromiter(state.seen, np.int32, len(state.seen))),
            cache=state.kv if isinstance(state.kv, tuple) else reader.save(state),
            fingerprint=state.fingerprint,
            events=kept.events,
            # A row of a batch would keep the whole batch alive.
            vector=kept.vector if kept.vector.base is None else kept.vector.copy(),
        )

    def unpack(self, reader: HistoryReader) -> KeptUser:
        """The kept user.

        Raises:
            StateError: It is of another model or backend.
        """
        items, seen = self.items.tolist(), self.seen.tolist()
        if isinstance(self.cache, bytes):
            state = reader.load(self.cache, items, seen, self.fingerprint)
        else:
            state = UserState(tuple(items), self.cache, frozenset(seen), self.fingerprint)
            reader.check_state(state)
        return KeptUser(state, self.events, self.vector)

    @property
    def size_bytes(self) -> int:
        """Bytes that it holds in memory, Python's own for each object among them."""
        held = [self, self.items, self.seen, self.vector]
        if isinstance(self.cache, bytes):
            return sum(map(sys.getsizeof, [*held, self.cache]))
        arrays = [array for pair in self.cache for array in pair]
        # An array that only looks at memory of ONNX Runtime does not count that memory as its own.
        looked_at = sum(array.nbytes for array in arrays if array.base is not None)
        return looked_at + sum(map(sys.getsizeof, [*held, *arrays, self.cache, *self.cache]))


def encode_user(user: str, kept: KeptUser, reader: HistoryReader) -> bytes:
    """The bytes of a state file."""
    state = kept.state
    header = {
        "format_version": FORMAT_VERSION,
        "user": user_digest(user),
        "fingerprint": state.fingerprint,
        "cache": reader.cache_kind,
        "events": kept.events,
    }
    sections = {
        "items.i32": np.array(state.items, _INT32).tobytes(),
        "seen.i32": np.sort(np.fromiter(state.seen, _INT32, len(state.seen))).tobytes(),
        "vector.f32": np.ascontiguousarray(kept.vector, _FLOAT32).tobytes(),
        "cache": reader.save(state),
    }
    return seal(MAGIC, header, sections)


def decode_user(data: bytes, user: str, reader: HistoryReader) -> KeptUser:
    """The kept user of a state file's bytes.

    Raises:
        StateError: The bytes are cut off, altered or malformed, or of another user, model or
            backend; rebuild the state from the user's history.
    """
    try:
        header, sections = unseal(data, MAGIC, "state file")
        version, whose = header.text("format_version"), header.text("user")
        kind, events = header.text("cache"), header.integer("events")
        fingerprint = header.text("fingerprint")
    except BundleError as error:
        raise StateError(f"{error}; rebuild it with prefill") from error
    if not version.startswith("1.") or whose != user_digest(user) or kind != reader.cache_kind:
        raise StateError("the state file is of another version, user or backend; rebuild it")
    try:
        items, seen = _integers(sections["items.i32"]), _integers(sections["seen.i32"])
        vector = np.frombuffer(sections["vector.f32"], _FLOAT32).astype(np.float32)
        cache = sections["cache"]
    except (KeyError, ValueError) as error:
        raise StateError(f"the state file lacks a section or a part of it: {error}") from error
    if events < len(items) or vector.shape != (reader.width,) or not np.isfinite(vector).all():
        raise StateError("the state file contradicts itself or the model; rebuild it")
    return KeptUser(reader.load(cache, items, seen, fingerprint), events, vector)


def user_digest(user: str) -> str:
    """SHA-256 of a user's name, 64 hexadecimal digits: what stands in files and their names."""
    return hashlib.sha256(user.encode("utf-8", "surrogatepass")).hexdigest()


def _integers(data: bytes) -> list[int]:
    values: list[int] = np.frombuffer(data, _INT32).tolist()
    return values
