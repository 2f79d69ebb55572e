"""Data sets of a few histories."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pocketrec_distill.evaluation.queries import QuerySet
from pocketrec_distill.models.base import History
from pocketrec_distill.pipeline.dataset import Dataset


def made_dataset(
    texts: Sequence[str], train: Sequence[History], queries: QuerySet, **more: Any
) -> Dataset:
    """Numbered items, events that weigh the same, and one set of queries for validation and test.

    Args:
        texts: One for each item.
        train: Item indices of each history.
        queries: What is asked.
        more: Fields of the data set that are otherwise.
    """
    data = Dataset(
        item_ids=tuple(map(str, range(len(texts)))),
        columns={},
        texts=texts,
        train=train,
        train_weights=[np.ones(len(history), np.float32) for history in train],
        validation=queries,
        test=queries,
        account={},
    )
    return replace(data, **more)
