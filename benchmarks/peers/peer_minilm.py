"""all-MiniLM-L6-v2 and usearch: the new event's title is embedded, the profile is a mean."""

import os
import sys
import warnings
from pathlib import Path

from serve import Peer, serve

warnings.simplefilter("ignore")
ENCODED = 1682
"""Titles that are really encoded; larger catalogues repeat them with noise, to spare hours."""


def imports() -> None:
    """What an app imports."""
    import torch  # noqa: F401
    import usearch.index  # noqa: F401
    from transformers import AutoModel, AutoTokenizer  # noqa: F401


def encoder():  # noqa: ANN201 - torch is not imported here
    """Text -> unit vector (384,), mean pooled, as the model's card says."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(os.environ["PEER_MODEL"])
    model = AutoModel.from_pretrained(os.environ["PEER_MODEL"]).eval()

    def encode(text: str):  # noqa: ANN202
        with torch.inference_mode():
            vector = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(0)
            return (vector / vector.norm()).numpy()

    return encode


def prepare(folder: Path) -> None:
    """Item vectors and an HNSW index over them, once."""
    import numpy as np
    from usearch.index import Index

    if (folder / "minilm.usearch").exists():
        return
    titles = (folder / "titles.txt").read_text(encoding="utf-8").splitlines()
    encode = encoder()
    known = np.stack([encode(title) for title in titles[:ENCODED]])
    vectors = np.resize(known, (len(titles), known.shape[1])).copy()
    noise = np.random.default_rng(1).normal(size=vectors.shape, scale=0.01)
    vectors[ENCODED:] += noise[ENCODED:]
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    index = Index(ndim=vectors.shape[1], metric="cos")
    index.add(np.arange(len(vectors)), vectors)
    np.save(folder / "minilm.npy", vectors)
    index.save(str(folder / "minilm.usearch"))


def load(folder: Path) -> Peer:
    """The encoder, the index and the history's vectors."""
    import numpy as np
    from usearch.index import Index

    encode = encoder()
    index = Index(ndim=384, metric="cos")
    index.load(str(folder / "minilm.usearch"))
    vectors = np.load(folder / "minilm.npy")
    titles = (folder / "titles.txt").read_text(encoding="utf-8").splitlines()
    histories = np.load(folder / "histories.npy")

    def answer(query: int) -> list[int]:
        history = histories[query % len(histories)]
        profile = vectors[history[:-1]].sum(0) + encode(titles[history[-1]])
        found = index.search(profile.astype(np.float32), 10 + len(history)).keys.astype(np.int64)
        return found[~np.isin(found, history)][:10].tolist()

    return Peer(
        rows={"MiniLM encodes the new title + usearch": answer},
        packages=["transformers", "torch", "usearch", "numpy"],
        note="approximate (HNSW); the profile is a mean, nothing is trained",
    )


if __name__ == "__main__":
    if sys.argv[2:] == ["prepare"]:
        prepare(Path(sys.argv[1]))
    else:
        serve(imports, load)
