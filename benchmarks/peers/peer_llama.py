"""llama.cpp re-ranks ten candidates with a text prompt: log-odds of yes, the prefix kept."""

import os
from pathlib import Path

from serve import Peer, serve

CANDIDATES = 10


def imports() -> None:
    """What an app imports."""
    import llama_cpp  # noqa: F401


def load(folder: Path) -> Peer:
    """SmolLM2-135M-Instruct, 4 bits."""
    import numpy as np
    from llama_cpp import Llama

    model = Llama(
        os.environ["PEER_MODEL"], n_ctx=2048, n_threads=1, n_threads_batch=1, verbose=False
    )
    titles = (folder / "titles.txt").read_text(encoding="utf-8").splitlines()
    histories = np.load(folder / "histories.npy")
    candidates = [
        np.setdiff1d(np.arange(len(titles)), history)[:: len(titles) // 12][:CANDIDATES]
        for history in histories[:20]
    ]
    yes, no = (model.tokenize(word.encode(), add_bos=False)[0] for word in (" yes", " no"))

    def answer(query: int) -> list[int]:
        history = histories[query % 20]
        prefix = "A user watched: " + "; ".join(titles[item] for item in history)
        ranked = []
        kept = model.tokenize(prefix.encode())
        model.reset()
        model.eval(kept)
        for item in candidates[query % 20].tolist():
            model.n_tokens = len(kept)  # llama.cpp drops what lies behind and keeps the prefix
            tail = f". Would the user like {titles[item]}? Answer:"
            model.eval(model.tokenize(tail.encode(), add_bos=False))
            logits = np.ctypeslib.as_array(model._ctx.get_logits(), (model.n_vocab(),))
            ranked.append((-float(logits[yes] - logits[no]), item))
        return [item for _, item in sorted(ranked)]

    return Peer(
        rows={"llama.cpp, SmolLM2-135M re-ranks 10 candidates": answer},
        packages=["llama-cpp-python", "numpy"],
        note="ranks ten given candidates, not the catalogue; the history is evaluated once a query",
    )


if __name__ == "__main__":
    serve(imports, load)
