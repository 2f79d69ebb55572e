"""Small real models for servers of tests: `python models.py KIND SETTINGS` serves one.

The catalogue has items i0 to i5; an item's score is 1 for each time it follows the last event in
0 -> 1 -> ... -> 5 -> 0, less a tenth for each step beyond.
"""

import json
import sys
import time

import numpy as np

from pocketrec.server import ServerSettings, Tokens, serve
from pocketrec_runtime import Catalogue

ITEMS = 6


class RingModel:
    """Ranks what comes next on a ring."""

    fingerprint = "r" * 64

    def __init__(self) -> None:
        self.computed_positions = 0
        self.catalogue = Catalogue(
            ids=[f"i{item}" for item in range(ITEMS)],
            rows=np.zeros((ITEMS, 1), np.float32),
            scales=None,
            bias=np.zeros(ITEMS, np.float32),
            popularity=np.array([0.1, 0.4, 0.2, 0.1, 0.1, 0.1], np.float32),
            columns={"title": [f"Item {item}" for item in range(ITEMS)]},
        )

    def scores(self, histories: list[tuple[int, ...]]) -> np.ndarray:
        self.computed_positions += sum(map(len, histories))
        last = np.array([history[-1] for history in histories])[:, None]
        steps = (np.arange(ITEMS)[None, :] - last - 1) % ITEMS
        return (1 - 0.1 * steps).astype(np.float32)


class SlowModel(RingModel):
    """Takes half a second for a run."""

    def scores(self, histories: list[tuple[int, ...]]) -> np.ndarray:
        time.sleep(0.5)
        return super().scores(histories)


class BrokenModel(RingModel):
    """Answers NaN after item 1, the wrong shape after 2, and fails with the history after 3."""

    def scores(self, histories: list[tuple[int, ...]]) -> np.ndarray:
        found = super().scores(histories)
        for row, history in enumerate(histories):
            if history[-1] == 1:
                found[row, 4] = np.nan
            if history[-1] == 2:
                return found[:, :-1]
            if history[-1] == 3:
                raise ValueError(f"the history is {self.catalogue.ids[history[0]]}-secret")
        return found


MODELS = {"ring": RingModel, "slow": SlowModel, "broken": BrokenModel}


def main(kind: str, settings: str, tokens: str) -> None:
    """Serve a model on a free port, which is said on stdout."""
    serve(
        MODELS[kind](),
        port=0,
        settings=ServerSettings(**json.loads(settings)),
        tokens=Tokens(tokens.split()),
        listening=lambda url: print(url, flush=True),  # noqa: T201
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
