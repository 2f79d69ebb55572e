"""llama.cpp through its C interface: a model, a context, and batches of item vectors.

A context holds a few sequences, each in a stream of its own, so that a run reads no other user's
positions. Everything here is for one thread at a time; `LlamaUserTower` holds the lock.
"""

import ctypes
import logging
import tempfile
import weakref
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketrec_runtime.errors import BundleFormatError, InputError, MissingExtraError, StateError
from pocketrec_runtime.gguf.tower import FILE, GgufTower
from pocketrec_runtime.shape import ModelShape
from pocketrec_runtime.towers.settings import RunSettings

# llama.cpp rounds the positions of a stream up to this.
_STREAM_UNIT = 256
_MAX_SEQUENCES = 16
_SEQUENCE_BUDGET_BYTES = 64 * 1024**2
_NUMBER_BYTES = {"float32": 4, "float16": 2}


def load_llama() -> Any:
    """llama-cpp-python's C interface.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        import llama_cpp.llama_cpp as llama
    except ImportError as error:
        raise MissingExtraError("llama_cpp", "gguf") from error
    # Its logger prints every step of llama.cpp until somebody sets a level, and takes llama.cpp's
    # warnings for errors. Errors arrive here as exceptions.
    logger = logging.getLogger("llama-cpp-python")
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.CRITICAL)
    return llama


def llama_devices() -> tuple[str, ...]:
    """Devices that the installed llama.cpp was built for: "cpu", maybe "gpu" before it."""
    gpu = load_llama().llama_supports_gpu_offload()
    return ("gpu", "cpu") if gpu else ("cpu",)


class LlamaContext:
    """A model and the sequences that it has read.

    Args:
        model: Bytes of the checked file.
        tower: What the check found.
        shape: The manifest's sizes.
        settings: Threads, cache precision, layers on a GPU.

    Raises:
        MissingExtraError: llama-cpp-python is not installed.
        InputError: Layers for a GPU that llama.cpp was not built for.
        BundleFormatError: llama.cpp does not open the model.
    """

    def __init__(
        self, model: bytes, tower: GgufTower, shape: ModelShape, settings: RunSettings
    ) -> None:
        self._llama = load_llama()
        if settings.gpu_layers and "gpu" not in llama_devices():
            raise InputError(
                f"gpu_layers is {settings.gpu_layers}, but the installed llama.cpp has no GPU; "
                "give 0, or install llama-cpp-python built for one"
            )
        self.positions = -(-shape.window // _STREAM_UNIT) * _STREAM_UNIT
        numbers = 2 * shape.blocks * shape.kv_heads * shape.head_dim * self.positions
        fitting = _SEQUENCE_BUDGET_BYTES // (numbers * _NUMBER_BYTES[settings.cache])
        self.sequences = max(1, min(_MAX_SEQUENCES, fitting))
        self._model = _open_model(self._llama, model, settings)
        self._context = self._open_context(settings)
        weakref.finalize(self, _free, self._llama, self._context, self._model)
        self._memory = self._llama.llama_get_memory(self._context)
        self._batch = _Batch(self._llama, self.positions, tower.inner)
        self._buffer = ctypes.create_string_buffer(0)

    def _open_context(self, settings: RunSettings) -> Any:
        llama = self._llama
        params = llama.llama_context_default_params()
        params.n_ctx = self.sequences * self.positions
        params.n_batch = self.positions
        params.n_ubatch = min(512, self.positions)
        params.n_seq_max = self.sequences
        params.n_threads = params.n_threads_batch = settings.threads
        params.embeddings = True
        params.pooling_type = llama.LLAMA_POOLING_TYPE_NONE
        half = settings.cache == "float16"
        params.type_k = params.type_v = llama.GGML_TYPE_F16 if half else llama.GGML_TYPE_F32
        # Faster here with half-precision caches, slower with full ones.
        params.flash_attn_type = (
            llama.LLAMA_FLASH_ATTN_TYPE_ENABLED if half else (llama.LLAMA_FLASH_ATTN_TYPE_DISABLED)
        )
        params.kv_unified = False
        params.no_perf = True
        context = llama.llama_init_from_model(self._model, params)
        if not context:
            llama.llama_model_free(self._model)
            raise BundleFormatError(f"{FILE}: llama.cpp makes no context for it")
        return context

    def decode(
        self, states: NDArray[np.float32], sequences: list[int], before: int
    ) -> NDArray[np.float32]:
        """Normed states after the last position of each sequence, float32 (rows, inner).

        Args:
            states: What the first block reads, float32 (rows, length, inner); rows times length
                is at most `positions`.
            sequences: The sequence of each row.
            before: Positions that every one of the sequences holds.

        Raises:
            BundleFormatError: The model fails.
        """
        rows, length, inner = states.shape
        self._batch.fill(states, sequences, before)
        code = self._llama.llama_decode(self._context, self._batch.filled)
        if code != 0:
            raise BundleFormatError(f"{FILE} failed to run: llama.cpp says {code}")
        normed = np.empty((rows, inner), np.float32)
        for row in range(rows):
            found = self._llama.llama_get_embeddings_ith(self._context, (row + 1) * length - 1)
            if not found:
                raise BundleFormatError(f"{FILE}: llama.cpp gave no state for row {row}")
            normed[row] = np.ctypeslib.as_array(found, (inner,))
        return normed

    def clear(self, sequence: int) -> None:
        """Forgets a sequence."""
        self._llama.llama_memory_seq_rm(self._memory, sequence, -1, -1)

    def copy(self, source: int, target: int) -> None:
        """Gives a sequence the positions of another; nothing is computed."""
        self.clear(target)
        self._llama.llama_memory_seq_cp(self._memory, source, target, -1, -1)

    def take(self, sequence: int) -> bytes:
        """A sequence's positions as llama.cpp writes them."""
        size = self._llama.llama_state_seq_get_size(self._context, sequence)
        if size > len(self._buffer):
            self._buffer = ctypes.create_string_buffer(2 * size)
        pointer = ctypes.cast(self._buffer, ctypes.POINTER(ctypes.c_uint8))
        written = self._llama.llama_state_seq_get_data(self._context, pointer, size, sequence)
        return ctypes.string_at(pointer, written)

    def restore(self, sequence: int, data: bytes, positions: int) -> None:
        """Gives a sequence the positions that `take` wrote.

        Raises:
            StateError: llama.cpp did not restore exactly those positions.
        """
        self.clear(sequence)
        pointer = ctypes.cast(ctypes.c_char_p(data), ctypes.POINTER(ctypes.c_uint8))
        read = self._llama.llama_state_seq_set_data(self._context, pointer, len(data), sequence)
        # A restore that does nothing would answer as if the user had no history.
        if read != len(data) or self.held(sequence) != positions:
            self.clear(sequence)
            raise StateError(
                f"llama.cpp restored {self.held(sequence)} of {positions} positions; prefill again"
            )

    def held(self, sequence: int) -> int:
        """Positions that a sequence holds, from the first on."""
        first = self._llama.llama_memory_seq_pos_min(self._memory, sequence)
        last = self._llama.llama_memory_seq_pos_max(self._memory, sequence)
        return int(last) + 1 if first == 0 else 0


class _Batch:
    """llama.cpp's input batch over arrays of ours, filled anew for each run."""

    def __init__(self, llama: Any, positions: int, inner: int) -> None:
        self._states = np.empty((positions, inner), np.float32)
        self._places = np.empty(positions, np.int32)
        self._counts = np.ones(positions, np.int32)
        self._sequences = np.empty(positions, np.int32)
        step = self._sequences.itemsize
        self._lists = self._sequences.ctypes.data + step * np.arange(positions, dtype=np.uint64)
        # Every position is an output: llama.cpp says so for embeddings, and warns otherwise.
        self._outputs = np.ones(positions, np.int8)
        kinds = dict(llama.llama_batch._fields_)
        self.filled = llama.llama_batch(
            0,
            None,
            self._states.ctypes.data_as(kinds["embd"]),
            self._places.ctypes.data_as(kinds["pos"]),
            self._counts.ctypes.data_as(kinds["n_seq_id"]),
            self._lists.ctypes.data_as(kinds["seq_id"]),
            self._outputs.ctypes.data_as(kinds["logits"]),
        )

    def fill(self, states: NDArray[np.float32], sequences: list[int], before: int) -> None:
        """Rows one after the other, each `length` positions of its sequence."""
        rows, length, inner = states.shape
        count = rows * length
        self._states[:count] = states.reshape(count, inner)
        self._places[:count].reshape(rows, length)[:] = np.arange(before, before + length)
        self._sequences[:count].reshape(rows, length)[:] = np.array(sequences)[:, None]
        self.filled.n_tokens = count


def _open_model(llama: Any, data: bytes, settings: RunSettings) -> Any:
    llama.llama_backend_init()
    params = llama.llama_model_default_params()
    params.n_gpu_layers = settings.gpu_layers
    # Read once into memory: the file is ours, and gone when this returns.
    params.load_mode = llama.LLAMA_LOAD_MODE_NONE
    with tempfile.TemporaryDirectory(prefix="pocketrec-") as folder:
        path = Path(folder, FILE)
        path.write_bytes(data)
        model = llama.llama_model_load_from_file(str(path).encode(), params)
    if not model:
        raise BundleFormatError(f"{FILE} is no model that llama.cpp opens; export it again")
    return model


def _free(llama: Any, context: Any, model: Any) -> None:
    llama.llama_free(context)
    llama.llama_model_free(model)
