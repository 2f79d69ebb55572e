"""Pooled hidden states of item texts, kept on disk by (model, layer, length, text) hash.

Mean-pooled states of a middle layer carry more for recommendation than those of the last layer.
"""

import hashlib
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pocketrec_distill.errors import ConfigError, SourceError
from pocketrec_distill.llm.base import BaseLlm
from pocketrec_distill.progress import progress
from pocketrec_distill.spread import Spread, here

BATCH, ACCELERATOR_BATCH = 8, 32
"""Texts read at once. On a CPU the widest activations of few texts stay in its caches: 8 of Amazon
Office take 85 ms each on two cores, 32 take 96."""

Floats = NDArray[np.float32]


class _ReachedLayer(Exception):  # noqa: N818  (a signal, not an error)
    """Carries a block's output out of the forward pass, so that later blocks never run."""

    def __init__(self, states: Tensor) -> None:
        super().__init__()
        self.states = states


def _raise_output(
    _module: torch.nn.Module, _inputs: object, output: Tensor | tuple[Tensor, ...]
) -> None:
    raise _ReachedLayer(output[0] if isinstance(output, tuple) else output)


def pooled(llm: BaseLlm, texts: Sequence[str], layer: int, max_tokens: int) -> Tensor:
    """Mean over the tokens of block `layer`'s output, float32 (texts, width), differentiable.

    Blocks beyond `layer` never run.

    Raises:
        ConfigError: The block never ran.
    """
    batch = llm.tokenizer(
        list(texts),
        return_tensors="pt",
        padding=True,
        padding_side="right",
        truncation=True,
        max_length=max_tokens,
    )
    if batch["input_ids"].shape[1] == 0:
        # Texts without a single token: nothing to pool.
        return torch.zeros(len(texts), llm.width, device=llm.backbone.device)
    batch = batch.to(llm.backbone.device)
    hook = llm.blocks[layer - 1].register_forward_hook(_raise_output)
    try:
        llm.backbone(
            input_ids=batch["input_ids"],
            attention_mask=batch["attention_mask"],
            use_cache=False,
        )
        raise ConfigError(f"block {layer} never ran; is this model a plain decoder?")
    except _ReachedLayer as reached:
        states = reached.states.float()
    finally:
        hook.remove()
    kept = batch["attention_mask"][..., None].float()
    means: Tensor = (states * kept).sum(dim=1) / kept.sum(dim=1).clamp_min(1.0)
    return means


def _encode(llm: BaseLlm, texts: Sequence[str], layer: int, max_tokens: int) -> Floats:
    with torch.inference_mode():
        rows: Floats = pooled(llm, texts, layer, max_tokens).cpu().numpy()
    return rows


def _key(llm: BaseLlm, text: str, layer: int, max_tokens: int) -> bytes:
    head = f"{llm.fingerprint}|{llm.backbone.dtype}|{layer}|{max_tokens}|"
    return hashlib.sha256(head.encode() + text.encode("utf-8", "replace")).digest()


def pooled_states(
    llm: BaseLlm,
    texts: Sequence[str],
    *,
    layer: int,
    max_tokens: int,
    cache: Path,
    spread: Spread = here,
) -> Floats:
    """Mean-pooled hidden states after block `layer`, one row per text.

    Each batch is committed to the cache as it is made: a stopped run goes on where it stopped, and
    equal texts are encoded once.

    Args:
        llm: The base LLM.
        texts: Item texts.
        layer: Block whose output is pooled, 1 to the number of blocks.
        max_tokens: Tokens kept of each text.
        cache: SQLite file, made when missing; may be shared by catalogues and processes.
        spread: Where texts are encoded.

    Returns:
        float32 (texts, llm.width).

    Raises:
        ConfigError: No such layer.
        SourceError: The cache cannot be read or written.
    """
    if not 1 <= layer <= len(llm.blocks):
        raise ConfigError(f"[llm] layer is {layer}; this model has blocks 1 to {len(llm.blocks)}")
    cache.parent.mkdir(parents=True, exist_ok=True)
    keys = [_key(llm, text, layer, max_tokens) for text in texts]
    wanted = dict(zip(keys, texts, strict=True))
    try:
        _encode_missing(llm, wanted, layer, max_tokens, cache, spread)
        with closing(sqlite3.connect(cache, timeout=60)) as database:
            return _read(database, keys, llm.width)
    except sqlite3.OperationalError as error:
        raise OSError(f"cannot write {cache}: {error}; free disk space or give access") from error
    except sqlite3.DatabaseError as error:
        raise SourceError(f"{cache} is damaged: {error}; delete it") from error


def _encode_missing(
    llm: BaseLlm,
    wanted: dict[bytes, str],
    layer: int,
    max_tokens: int,
    cache: Path,
    spread: Spread,
) -> None:
    """Bring the cache up to `wanted`, key to text."""
    with closing(sqlite3.connect(cache, timeout=60)) as database:
        database.execute(
            "CREATE TABLE IF NOT EXISTS states (key BLOB PRIMARY KEY, state BLOB) WITHOUT ROWID"
        )
        missing = _missing(database, wanted)
        # Similar lengths share a batch, so that little of it is padding.
        missing.sort(key=lambda pair: len(pair[1]))
        with progress(total=len(missing), label="item texts", unit="item") as bar:
            batch = BATCH if llm.backbone.device.type == "cpu" else ACCELERATOR_BATCH
            chunks = [missing[start : start + batch] for start in range(0, len(missing), batch)]
            texts = [[text for _, text in chunk] for chunk in chunks]
            encode = partial(_encode, llm, layer=layer, max_tokens=max_tokens)
            for chunk, states in zip(chunks, spread(encode, texts), strict=True):
                rows = [(key, row.tobytes()) for (key, _), row in zip(chunk, states, strict=True)]
                with database:
                    database.executemany("INSERT OR REPLACE INTO states VALUES (?, ?)", rows)
                bar.update(len(chunk))


def _missing(database: sqlite3.Connection, wanted: dict[bytes, str]) -> list[tuple[bytes, str]]:
    found = {
        key
        for key in wanted
        if database.execute("SELECT 1 FROM states WHERE key = ?", (key,)).fetchone()
    }
    return [(key, text) for key, text in wanted.items() if key not in found]


def _read(database: sqlite3.Connection, keys: Sequence[bytes], width: int) -> Floats:
    states = np.empty((len(keys), width), dtype=np.float32)
    for row, key in enumerate(keys):
        blob = database.execute("SELECT state FROM states WHERE key = ?", (key,)).fetchone()[0]
        states[row] = np.frombuffer(blob, dtype=np.float32)
    return states
