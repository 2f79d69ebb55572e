"""The two towers of a bundle on ONNX Runtime's CPU provider."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pocketrec_runtime.errors import BundleFormatError, InputError
from pocketrec_runtime.onnx_guard import refuse_external_data
from pocketrec_runtime.shape import ModelShape
from pocketrec_runtime.state import KV

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

PADDING_ID = 0
MAX_TEXT_CHARS = 65_536
"""Characters of one text that are tokenized; no token limit of the format lies beyond."""

_BATCH = 64
_Dims = tuple[int | None, ...]
_Ports = dict[str, tuple[str, _Dims]]


class OnnxUserTower:
    """History to user vector, with an explicit key/value cache. Safe to share among threads.

    Args:
        model: Bytes of `user_tower.onnx`.
        shape: The sizes that its inputs and outputs must have.
        threads: Threads of one run.

    Raises:
        BundleFormatError: No ONNX model, external data, or inputs and outputs of other names,
            types or shapes than docs/bundle-format.md asks for.
    """

    def __init__(self, model: bytes, shape: ModelShape, threads: int = 1) -> None:
        self._shape = shape
        self._session = _open_session(model, "user_tower.onnx", threads)
        cache: _Dims = (None, shape.kv_heads, None, shape.head_dim)
        pairs = [(f"{i}.key", f"{i}.value") for i in range(shape.blocks)]
        names = [name for pair in pairs for name in pair]
        self._past_names = [(f"past_key_values.{key}", f"past_key_values.{value}")
                            for key, value in pairs]  # fmt: skip
        self._outputs = ["user_vector", *(f"present.{name}" for name in names)]
        _check_ports(
            self._session,
            "user_tower.onnx",
            inputs={
                "item_vectors": ("tensor(float)", (None, None, shape.width)),
                **{f"past_key_values.{name}": ("tensor(float)", cache) for name in names},
            },
            outputs={
                "user_vector": ("tensor(float)", (None, shape.width)),
                **{f"present.{name}": ("tensor(float)", cache) for name in names},
            },
        )

    def run(
        self, item_vectors: NDArray[np.float32], past: KV | None = None
    ) -> tuple[NDArray[np.float32], KV]:
        """User vectors after the last event, and the grown cache.

        Args:
            item_vectors: float32 (batch, length, width), length at least 1, oldest event first.
            past: The cache of the positions before, None for none.

        Returns:
            User vectors, float32 (batch, width), finite, and the cache of all positions.

        Raises:
            InputError: The item vectors have another shape or dtype.
            BundleFormatError: The model fails, or answers with another shape or with NaN.
        """
        self._check_input(item_vectors)
        batch = len(item_vectors)
        past = self.empty_cache(batch) if past is None else past
        feed = {"item_vectors": item_vectors}
        for names, pair in zip(self._past_names, past, strict=True):
            feed.update(zip(names, pair, strict=True))
        vectors, *cache = _run(self._session, self._outputs, feed, "user_tower.onnx")
        length = past[0][0].shape[2] + item_vectors.shape[1]
        self._check_output(vectors, cache, batch, length)
        return vectors, tuple(zip(cache[::2], cache[1::2], strict=True))

    def empty_cache(self, batch: int) -> KV:
        """A cache of no positions, for a batch."""
        empty = np.empty((batch, self._shape.kv_heads, 0, self._shape.head_dim), np.float32)
        return ((empty, empty),) * self._shape.blocks

    def _check_input(self, item_vectors: NDArray[np.float32]) -> None:
        width = self._shape.width
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

    def _check_output(
        self,
        vectors: NDArray[np.float32],
        cache: list[NDArray[np.float32]],
        batch: int,
        length: int,
    ) -> None:
        shape = self._shape
        if vectors.shape != (batch, shape.width):
            raise BundleFormatError(
                f"user_tower.onnx answered {vectors.shape}; expected {(batch, shape.width)}"
            )
        if not np.isfinite(vectors).all():
            raise BundleFormatError("user_tower.onnx answered NaN or infinity; export it again")
        expected = (batch, shape.kv_heads, length, shape.head_dim)
        if any(array.shape != expected for array in cache):
            raise BundleFormatError(
                f"user_tower.onnx answered caches of {[array.shape for array in cache]}; "
                f"expected {expected}"
            )


class OnnxItemTower:
    """Item text to item vector. Safe to share among threads.

    Args:
        model: Bytes of `item_tower.onnx`.
        tokenizer: Bytes of `tokenizer.model` (SentencePiece), whose piece 0 is the padding.
        width: Length of an item vector.
        max_tokens: Tokens of one text that are read; the rest is cut.
        threads: Threads of one run.

    Raises:
        BundleFormatError: No ONNX or SentencePiece model, external data, or other inputs,
            outputs or padding than docs/bundle-format.md asks for.
    """

    def __init__(
        self, model: bytes, tokenizer: bytes, *, width: int, max_tokens: int, threads: int = 1
    ) -> None:
        self._width = width
        self._max_tokens = max_tokens
        self._tokenizer = _open_tokenizer(tokenizer)
        self._session = _open_session(model, "item_tower.onnx", threads)
        _check_ports(
            self._session,
            "item_tower.onnx",
            inputs={"token_ids": ("tensor(int64)", (None, None))},
            outputs={"item_vector": ("tensor(float)", (None, width))},
        )

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Item vectors of texts, float32 (n, width), finite, in the order given.

        A text is read up to `MAX_TEXT_CHARS` characters and `max_tokens` tokens.

        Raises:
            InputError: A text is no string, or holds a lone surrogate.
            BundleFormatError: The model fails, or answers with another shape or with NaN.
        """
        if isinstance(texts, str):
            raise InputError("texts is one string; give a sequence of strings")
        tokens = [self._tokens(text) for text in texts]
        batches = [self._encode(tokens[at : at + _BATCH]) for at in range(0, len(tokens), _BATCH)]
        return np.concatenate([np.empty((0, self._width), np.float32), *batches])

    def _tokens(self, text: str) -> list[int]:
        if not isinstance(text, str):
            raise InputError(f"a text is {type(text).__name__}; give strings")
        try:
            # SentencePiece reports what it cannot encode in a different way in every version.
            text = text[:MAX_TEXT_CHARS]
            text.encode()
        except UnicodeEncodeError as error:
            raise InputError("a text holds a lone surrogate, which UTF-8 cannot say") from error
        ids: list[int] = self._tokenizer.encode(text, out_type=int)
        return ids[: self._max_tokens]

    def _encode(self, tokens: list[list[int]]) -> NDArray[np.float32]:
        longest = max(1, *(len(ids) for ids in tokens))
        batch = np.full((len(tokens), longest), PADDING_ID, np.int64)
        for row, ids in zip(batch, tokens, strict=True):
            row[: len(ids)] = ids
        (vectors,) = _run(self._session, ["item_vector"], {"token_ids": batch}, "item_tower.onnx")
        if vectors.shape != (len(tokens), self._width):
            raise BundleFormatError(
                f"item_tower.onnx answered {vectors.shape}; expected {(len(tokens), self._width)}"
            )
        if not np.isfinite(vectors).all():
            raise BundleFormatError("item_tower.onnx answered NaN or infinity; export it again")
        return vectors


def _open_session(model: bytes, name: str, threads: int) -> "InferenceSession":
    if threads < 1:
        raise InputError(f"threads is {threads}; give at least 1")
    refuse_external_data(model, name)
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    # Lengths change with every event, so that remembered memory patterns would only grow.
    options.enable_mem_pattern = False
    # Errors arrive as exceptions; ONNX Runtime would also print them.
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except _ort_errors() as error:
        raise BundleFormatError(f"{name} is no model that ONNX Runtime opens: {error}") from error


def _open_tokenizer(model: bytes) -> Any:
    import sentencepiece

    try:
        tokenizer = sentencepiece.SentencePieceProcessor(model_proto=model)
    except RuntimeError as error:
        raise BundleFormatError(f"tokenizer.model is no SentencePiece model: {error}") from error
    if tokenizer.pad_id() != PADDING_ID:
        raise BundleFormatError(
            f"tokenizer.model has padding id {tokenizer.pad_id()}; train it with pad_id=0, unk_id=1"
        )
    return tokenizer


def _run(
    session: "InferenceSession", outputs: list[str], feed: dict[str, NDArray[Any]], name: str
) -> list[NDArray[np.float32]]:
    try:
        answer: list[NDArray[np.float32]] = session.run(outputs, feed)
    except _ort_errors() as error:
        raise BundleFormatError(f"{name} failed to run: {error}") from error
    return answer


def _check_ports(session: "InferenceSession", name: str, inputs: _Ports, outputs: _Ports) -> None:
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


def _fits(found: Sequence[int | str | None], expected: _Dims) -> bool:
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
