"""Vectors of item texts, encoded once and kept by model and text."""

import hashlib
import sqlite3
import threading
from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from pocketrec_runtime.engine import Engine
from pocketrec_runtime.errors import InputError, StateError
from pocketrec_runtime.process import HomeProcess

T = TypeVar("T")
_FLOAT32 = np.dtype("<f4")
_PROOF_BYTES = 16
# SQLite quotes a damaged schema in its messages, which then are no UTF-8.
_FAILURES = (sqlite3.Error, UnicodeDecodeError)
_NO_DAMAGE = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_FULL", "SQLITE_IOERR", "SQLITE_CANTOPEN")
_SCHEMA = """
CREATE TABLE IF NOT EXISTS vectors (
    model BLOB NOT NULL, text BLOB NOT NULL, vector BLOB NOT NULL, proof BLOB NOT NULL,
    used INTEGER NOT NULL, PRIMARY KEY (model, text)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS vectors_by_use ON vectors (used);
"""


class TextVectorCache:
    """Item vectors by model fingerprint and SHA-256 of the text, in one SQLite file.

    Every row carries a hash over its key and vector: a row that was altered is encoded again, and
    a file that is no database any more is started anew. No lock is held while the item tower runs.
    Safe to share among threads.

    Args:
        path: The file; it is made where it is missing. None keeps vectors in memory only.
        max_vectors: How many vectors are kept; those that were asked for longest ago go first.
        unwritable: Whether a file that cannot be written raises, or is done without.

    Raises:
        InputError: `max_vectors` is below 1, or `unwritable` is neither "raise" nor "memory".
        StateError: The file cannot be written.
    """

    def __init__(
        self,
        path: str | PathLike[str] | None = None,
        *,
        max_vectors: int = 100_000,
        unwritable: Literal["raise", "memory"] = "raise",
    ) -> None:
        if max_vectors < 1:
            raise InputError(f"max_vectors is {max_vectors}; give at least 1")
        if unwritable not in ("raise", "memory"):
            raise InputError(f"unwritable is {unwritable!r}; give 'raise' or 'memory'")
        self._path = None if path is None else Path(path)
        self._max_vectors = max_vectors
        self._process = HomeProcess()
        self._lock = threading.Lock()
        self._encoded = 0
        try:
            self._database = _opened(self._path)
        except (*_FAILURES, OSError) as error:
            if unwritable == "raise":
                raise StateError(
                    f"{path} cannot be written: {error}; choose another file, or keep vectors in "
                    "memory only"
                ) from error
            self._path = None
            self._database = _opened(None)

    @property
    def is_durable(self) -> bool:
        """Whether vectors outlive the process."""
        return self._path is not None

    @property
    def encoded(self) -> int:
        """Texts that the item tower read so far; all others came from the cache."""
        return self._encoded

    def __len__(self) -> int:
        return self._do(_count, 0)

    def close(self) -> None:
        """Closes the file; the cache is of no use afterwards."""
        with self._lock:
            self._database.close()

    def encode(self, engine: Engine, texts: Sequence[str]) -> NDArray[np.float32]:
        """Item vectors of texts, float32 (n, width), as `Engine.encode_items`.

        Raises:
            InputError: As `Engine.encode_items`.
            ForkError: This process was forked from the one that made the cache.
        """
        self._process.check()
        width = engine.manifest.model.width
        if isinstance(texts, str) or not all(map(_is_encodable, texts)):
            return engine.encode_items(texts)  # which says what is wrong
        model = bytes.fromhex(engine.manifest.fingerprint)
        keys = {hashlib.sha256(text.encode()).digest(): text for text in texts}
        vectors = self._known(model, list(keys), width)
        missing = [key for key in keys if key not in vectors]
        if missing:
            new = engine.encode_items([keys[key] for key in missing])
            vectors |= dict(zip(missing, new, strict=True))
        self._keep(model, {key: vectors[key] for key in missing}, used=list(keys))
        found = [vectors[hashlib.sha256(text.encode()).digest()] for text in texts]
        return np.array(found, np.float32).reshape(len(texts), width)

    def _known(
        self, model: bytes, keys: Sequence[bytes], width: int
    ) -> dict[bytes, NDArray[np.float32]]:
        query = "SELECT vector, proof FROM vectors WHERE model = ? AND text = ?"

        def look_up(database: sqlite3.Connection) -> dict[bytes, NDArray[np.float32]]:
            found = {key: database.execute(query, (model, key)).fetchone() for key in keys}
            return {
                key: np.frombuffer(row[0], _FLOAT32)
                for key, row in found.items()
                if row is not None and row[1] == _proof(model, key, row[0])
            }

        nothing: dict[bytes, NDArray[np.float32]] = {}
        found = self._do(look_up, nothing)
        return {key: vector for key, vector in found.items() if vector.shape == (width,)}

    def _keep(
        self, model: bytes, new: dict[bytes, NDArray[np.float32]], used: Sequence[bytes]
    ) -> None:
        data = {
            key: np.ascontiguousarray(vector, _FLOAT32).tobytes() for key, vector in new.items()
        }

        def keep(database: sqlite3.Connection) -> None:
            (turn,) = database.execute("SELECT coalesce(max(used), 0) + 1 FROM vectors").fetchone()
            database.executemany(
                "INSERT OR REPLACE INTO vectors VALUES (?, ?, ?, ?, ?)",
                [(model, key, each, _proof(model, key, each), turn) for key, each in data.items()],
            )
            database.executemany(
                "UPDATE vectors SET used = ? WHERE model = ? AND text = ?",
                [(turn, model, key) for key in used],
            )
            database.execute(
                "DELETE FROM vectors WHERE (model, text) IN "
                "(SELECT model, text FROM vectors ORDER BY used LIMIT ?)",
                (max(0, _count(database) - self._max_vectors),),
            )

        self._encoded += len(new)
        self._do(keep, None)

    def _do(self, action: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        """What an action in one transaction gives; `otherwise` where the file does not serve."""
        self._process.check()
        with self._lock:
            try:
                with self._database:
                    return action(self._database)
            except _FAILURES as error:
                if _is_damage(error):
                    self._database.close()
                    self._start_anew()
                # Else a full disk, or another process in the way.
                return otherwise

    def _start_anew(self) -> None:
        try:
            self._database = _opened_anew(self._path)
        except (*_FAILURES, OSError):
            self._path = None
            self._database = _connected(None)


def _opened(path: Path | None) -> sqlite3.Connection:
    try:
        return _connected(path)
    except _FAILURES as error:
        if not _is_damage(error):
            raise
        return _opened_anew(path)


def _opened_anew(path: Path | None) -> sqlite3.Connection:
    if path is not None:
        path.unlink(missing_ok=True)
    return _connected(path)


def _is_damage(error: Exception) -> bool:
    """Whether the file is to blame, so that nothing is lost by starting anew."""
    name = getattr(error, "sqlite_errorname", "")
    return not name.startswith(_NO_DAMAGE)


def _connected(path: Path | None) -> sqlite3.Connection:
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
    name = ":memory:" if path is None else str(path)
    database = sqlite3.connect(name, check_same_thread=False)
    try:
        database.execute("PRAGMA synchronous = NORMAL")
        database.executescript(_SCHEMA)
        # Fails here rather than later where nothing may be written.
        database.execute("DELETE FROM vectors WHERE used < 0")
        database.commit()
    except _FAILURES:
        database.close()
        raise
    return database


def _count(database: sqlite3.Connection) -> int:
    count: int = database.execute("SELECT count(*) FROM vectors").fetchone()[0]
    return count


def _proof(model: bytes, key: bytes, vector: bytes) -> bytes:
    return hashlib.sha256(b"".join([model, key, vector])).digest()[:_PROOF_BYTES]


def _is_encodable(text: object) -> bool:
    if not isinstance(text, str):
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
