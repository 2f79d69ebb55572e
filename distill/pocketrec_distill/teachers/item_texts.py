"""Item texts cut to a number of tokens, and histories of them cut to a budget, oldest first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.errors import SourceError
from pocketrec_distill.models.base import History

# Between the events of a history.
SEPARATOR = ";\n"
_BATCH = 1024


@dataclass(frozen=True, eq=False)
class ItemTexts:
    """What a text model reads of each item.

    Attributes:
        texts: Text of each item, cut at a token's end.
        lengths: Tokens of each, a separator included, int64 (items,).
    """

    texts: tuple[str, ...]
    lengths: NDArray[np.int64]

    @classmethod
    def cut(cls, texts: Sequence[str], tokenizer: Any, item_tokens: int) -> "ItemTexts":
        """The first `item_tokens` tokens of every text.

        Raises:
            SourceError: The tokenizer does not say where in a text its tokens stand.
        """
        if not getattr(tokenizer, "is_fast", False):
            raise SourceError(
                f"{type(tokenizer).__name__} is a slow tokenizer; save the model with a fast one "
                "(tokenizer.json)"
            )
        lines = [" ".join(text.split()) for text in texts]
        spare = len(tokenizer(SEPARATOR, add_special_tokens=False)["input_ids"]) + 1
        kept: list[str] = []
        lengths: list[int] = []
        for start in range(0, len(lines), _BATCH):
            chunk = lines[start : start + _BATCH]
            encoded = tokenizer(
                chunk,
                add_special_tokens=False,
                truncation=True,
                max_length=item_tokens,
                return_offsets_mapping=True,
            )
            for line, offsets in zip(chunk, encoded["offset_mapping"], strict=True):
                kept.append(line[: offsets[-1][1]] if offsets else "")
                lengths.append(len(offsets) + spare)
        return cls(tuple(kept), np.array(lengths, dtype=np.int64))

    def history(self, history: History, budget: int) -> str:
        """The newest events that fit into `budget` tokens, oldest first; always the newest one."""
        newest_first = self.lengths[np.asarray(history)[::-1]]
        kept = max(1, int(np.searchsorted(np.cumsum(newest_first), budget, side="right")))
        return SEPARATOR.join(self.texts[item] for item in np.asarray(history)[-kept:])
