"""Recommenders over the small bundle, whose answers are computed by hand."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pocketrec import Recommender


@pytest.fixture
def opened(tiny_bundle, tmp_path) -> Iterator[Callable[..., Recommender]]:
    """Opens recommenders over one store; what is open at the end is closed."""
    made: list[Recommender] = []

    def start(bundle: Any = tiny_bundle, **settings: Any) -> Recommender:
        made.append(Recommender.open(bundle, store=tmp_path / "store", **settings))
        return made[-1]

    yield start
    for recommender in made:
        recommender.close()


@pytest.fixture
def recommender(opened) -> Recommender:
    return opened()
