"""The prepared data: what every later stage reads, named by a hash of its content."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.evaluation.queries import ColdItems, QuerySet
from pocketrec_distill.models.base import History
from pocketrec_distill.models.floors import interaction_counts
from pocketrec_distill.models.nearest_known import NearestKnown


@dataclass(frozen=True)
class Dataset:
    """Cleaned, split and indexed data.

    Attributes:
        item_ids: Catalogue order of every index below.
        columns: Display and filter columns of the catalogue, one value per item.
        texts: Item text for the language model.
        train: Training histories, oldest first.
        train_weights: Weight of each training event, float32, in the same shape.
        validation: Queries for every choice.
        test: Queries touched once, for the report.
        account: What cleaning dropped and why.
        entities: Entities of a knowledge graph that each item is related to; empty without a graph.
        cold: Items held out whole, for `[run] cold_share`; None where none are.
        train_users: Id of each training history's user; empty where nobody asks for it.
        train_ages: How long before the last training event each was, as a share of the time from
            first to last, float32, in the shape of `train`; empty where events have no times.
        shelf: How much later than validation the test is, as a share of the same time.
        span: That time in seconds; 1 where all events are at one time, or have none.
        whole: The same with every event in `train`, for `[run] refit`; None where nobody asks.
    """

    item_ids: tuple[str, ...]
    columns: Mapping[str, Sequence[Any]]
    texts: Sequence[str]
    train: Sequence[History]
    train_weights: Sequence[NDArray[np.float32]]
    validation: QuerySet
    test: QuerySet
    account: Mapping[str, Any]
    entities: Sequence[Sequence[str]] = ()
    cold: ColdItems | None = None
    train_users: tuple[str, ...] = ()
    train_ages: Sequence[NDArray[np.float32]] = ()
    shelf: float = 0.0
    span: float = 1.0
    whole: "Dataset | None" = None

    @property
    def items(self) -> int:
        """Number of catalogue items."""
        return len(self.item_ids)

    @property
    def events(self) -> int:
        """Number of training events."""
        return sum(map(len, self.train))

    @property
    def counts(self) -> NDArray[np.int64]:
        """Training events of each item, int64 (items,)."""
        return interaction_counts(self.train, self.items)

    @cached_property
    def nearest(self) -> NearestKnown:
        """What stands for the items without a training event."""
        return NearestKnown.of(self.texts, self.counts)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over everything a model is trained or measured on."""
        digest = hashlib.sha256()
        for words in (self.item_ids, self.texts, *self.entities):
            for word in words:
                digest.update(word.encode("utf-8", "surrogatepass") + b"\0")
        queries = (self.validation, self.test)
        for histories in (self.train, *(query.histories for query in queries)):
            offsets = np.cumsum([0, *map(len, histories)])
            digest.update(offsets.astype("<i8").tobytes())
            for history in histories:
                digest.update(np.asarray(history, dtype="<i4").tobytes())
        for weights in self.train_weights:
            digest.update(np.asarray(weights, dtype="<f4").tobytes())
        for query in queries:
            digest.update(query.targets.astype("<i8").tobytes())
        return digest.hexdigest()

    @cached_property
    def fingerprint_of_times(self) -> str:
        """SHA-256 of ages, shelf and all that came in validation's time: the linear model's."""
        digest = hashlib.sha256(np.float64(self.shelf).tobytes())
        for ages in self.train_ages:
            digest.update(np.asarray(ages, dtype="<f4").tobytes())
        for items in self.validation.following:
            digest.update(np.asarray((len(items), *items), dtype="<i4").tobytes())
        return digest.hexdigest()


def aged(data: Dataset, times: Sequence[NDArray[np.float64]], gap: float) -> Dataset:
    """The same data with `train_ages`, `shelf` and `span`; the first two 0 if all is at one time.

    Args:
        data: Without them.
        times: Of its training events, seconds, float64, in the shape of `train`.
        gap: Seconds from validation to test.
    """
    last = max(float(history.max()) for history in times)
    span = last - min(float(history.min()) for history in times)
    unit = span or math.inf
    ages = [((last - history) / unit).astype(np.float32) for history in times]
    return replace(data, train_ages=ages, shelf=gap / unit, span=span or 1.0)
