"""What a server needs of a model: histories in, scores of the whole catalogue out."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pocketrec_runtime import Catalogue, Engine


class RankingModel(Protocol):
    """A model over one catalogue; asked by one thread at a time."""

    @property
    def catalogue(self) -> Catalogue:
        """The items that it ranks."""
        ...

    @property
    def fingerprint(self) -> str:
        """Identity of model and catalogue."""
        ...

    @property
    def computed_positions(self) -> int:
        """Events that it computed so far."""
        ...

    def scores(self, histories: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Scores, float32 (histories, items).

        Args:
            histories: Item indices, oldest first, each of at least one event and any length.
        """
        ...


class BundleModel:
    """A bundle as a server's model, for tests and for teams whose teacher is small enough.

    Args:
        engine: The opened bundle.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def catalogue(self) -> Catalogue:
        """The bundle's items."""
        return self._engine.catalogue

    @property
    def fingerprint(self) -> str:
        """The engine's."""
        return self._engine.fingerprint

    @property
    def computed_positions(self) -> int:
        """Positions that the user tower computed."""
        return self._engine.computed_positions

    def scores(self, histories: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """As `RankingModel.scores`."""
        read = self._engine.prefill_many(histories)
        return self._engine.scan.scores_batch([vector for _, vector in read])
