"""The item tower of a bundle on ONNX Runtime."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketrec_runtime.errors import BundleFormatError, InputError
from pocketrec_runtime.shape import TokenizerKind
from pocketrec_runtime.towers.session import check_ports, open_session, run
from pocketrec_runtime.wordpiece import WordPiece

PADDING_ID = 0
MAX_TEXT_CHARS = 65_536
"""Characters of one text that are tokenized; no token limit of the format lies beyond."""

_BATCH = 64


class OnnxItemTower:
    """Item text to item vector. Safe to share among threads.

    Args:
        model: Bytes of `item_tower.onnx`.
        tokenizer: Bytes of `tokenizer.model`, whose piece 0 is the padding.
        width: Length of an item vector.
        max_tokens: Tokens of one text that are read; the rest is cut.
        threads: Threads of one run.
        kind: What the tokenizer is: a SentencePiece model, or a WordPiece vocabulary.

    Raises:
        BundleFormatError: No ONNX model or tokenizer, external data, or other inputs,
            outputs or padding than docs/bundle-format.md asks for.
    """

    def __init__(
        self,
        model: bytes,
        tokenizer: bytes,
        *,
        width: int,
        max_tokens: int,
        threads: int = 1,
        kind: TokenizerKind = "sentencepiece",
    ) -> None:
        self._width = width
        self._encode_text = _open_tokenizer(tokenizer, kind, max_tokens)
        self._session = open_session(model, "item_tower.onnx", threads)
        check_ports(
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
        return self._encode_text(text)

    def _encode(self, tokens: list[list[int]]) -> NDArray[np.float32]:
        longest = max(1, *(len(ids) for ids in tokens))
        batch = np.full((len(tokens), longest), PADDING_ID, np.int64)
        for row, ids in zip(batch, tokens, strict=True):
            row[: len(ids)] = ids
        (vectors,) = run(self._session, ["item_vector"], {"token_ids": batch}, "item_tower.onnx")
        if vectors.shape != (len(tokens), self._width):
            raise BundleFormatError(
                f"item_tower.onnx answered {vectors.shape}; expected {(len(tokens), self._width)}"
            )
        if not np.isfinite(vectors).all():
            raise BundleFormatError("item_tower.onnx answered NaN or infinity; export it again")
        return vectors


def _open_tokenizer(
    model: bytes, kind: TokenizerKind, max_tokens: int
) -> Callable[[str], list[int]]:
    """The function from a text to at most `max_tokens` ids."""
    if kind == "wordpiece":
        vocabulary = WordPiece(model)
        return lambda text: vocabulary.encode(text, max_tokens)
    tokenizer = _open_sentencepiece(model)
    return lambda text: tokenizer.encode(text, out_type=int)[:max_tokens]


def _open_sentencepiece(model: bytes) -> Any:
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
