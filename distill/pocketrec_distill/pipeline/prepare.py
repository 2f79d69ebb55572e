"""The first stage: tables read, cleaned, split, and items turned into text."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pocketrec_distill.config import DistillConfig
from pocketrec_distill.data import DataSettings, Interactions, ItemTable, Split, clean, split_by
from pocketrec_distill.data.inputs import catalogue_of, read_inputs
from pocketrec_distill.data.split import Queries, shared_times
from pocketrec_distill.errors import ConfigError, DataError
from pocketrec_distill.llm.text import TextTemplate, clean_value
from pocketrec_distill.pipeline.dataset import Dataset, QuerySet

# Long prose stays out of the bundle: it feeds the language model, not the screen.
MAX_SHOWN_MEAN_CHARACTERS = 60

# From this share of events on, the account asks whether they are baskets.
NOTED_SHARED_TIMES = 0.05


def prepare(
    interactions: Path, items: Path | None, config: DistillConfig, say: Callable[[str], None]
) -> Dataset:
    """Read, clean, split and index two tables, or a folder in a published format.

    Raises:
        DataError: A table cannot be read or mapped, or holds too little to learn from.
        ConfigError: No format has the name in the settings, or it has no times for the split.
    """
    inputs = read_inputs(interactions, items, config.data)
    if inputs.timeless and config.run.split == "temporal":
        raise ConfigError(f"[run] split is temporal, but {inputs.timeless}; take leave-one-out")
    catalogue, left_out = catalogue_of(inputs)
    cleaned, account = clean(inputs.interactions, inputs.settings, frozenset(catalogue.item_ids))
    account.notes[:0] = inputs.notes
    if left_out:
        account.note(f"items table: {left_out:,} rows with a missing or repeated id")
    if inputs.items is None:
        catalogue = _only(catalogue, set(cleaned.item_ids))
    before = len(catalogue.item_ids)
    catalogue = catalogue.extended(cleaned.item_ids)
    if (added := len(catalogue.item_ids) - before) and inputs.items is not None:
        account.note(f"{added:,} items stand in interactions only; their id is their text")
    account.note(_on_baskets(cleaned, inputs.settings, config.run.split))
    say(str(account))
    split = split_by(config.run.split, cleaned, baskets=inputs.settings.baskets)
    dataset = _indexed(cleaned, catalogue, split, config, account.as_dict())
    _check_enough(dataset)
    return dataset


def _on_baskets(cleaned: Interactions, settings: DataSettings, split: str) -> str:
    """What the account says where leave-one-out might part a basket."""
    share = shared_times(cleaned)
    if settings.baskets or split != "leave-one-out" or share < NOTED_SHARED_TIMES:
        return ""
    return (
        f"{share:.0%} of the events share their time with another of the same user; if they are "
        "baskets, set [data] baskets = true, or a part of a basket tells the rest"
    )


def _only(catalogue: ItemTable, kept: set[str]) -> ItemTable:
    rows = [row for row, item in enumerate(catalogue.item_ids) if item in kept]
    columns = {name: [values[row] for row in rows] for name, values in catalogue.columns.items()}
    return ItemTable(tuple(catalogue.item_ids[row] for row in rows), columns)


def _indexed(
    cleaned: Interactions,
    catalogue: ItemTable,
    split: Split,
    config: DistillConfig,
    account: dict[str, Any],
) -> Dataset:
    """The split in catalogue order, with item texts and display columns."""
    place = {item: index for index, item in enumerate(catalogue.item_ids)}
    codes = np.array([place[item] for item in cleaned.item_ids], dtype=np.int32)

    def query_set(queries: Queries) -> QuerySet:
        histories = [codes[history] for history in queries.histories]
        return QuerySet(histories, codes[queries.targets].astype(np.int64))

    account["repeats_not_evaluated"] = {
        "validation": split.validation.repeats,
        "test": split.test.repeats,
    }
    return Dataset(
        item_ids=catalogue.item_ids,
        columns=shown_columns(catalogue),
        texts=TextTemplate(config.text.template).render(catalogue.item_ids, catalogue.columns),
        train=[codes[history] for history in split.train],
        train_weights=split.train_weights,
        validation=query_set(split.validation),
        test=query_set(split.test),
        account=account,
    )


def shown_columns(catalogue: ItemTable) -> dict[str, Sequence[Any]]:
    """Columns for display and filters: the title, and all whose values are short."""
    shown: dict[str, Sequence[Any]] = {}
    for name, values in catalogue.columns.items():
        cleaned = [_shown(value) for value in values]
        lengths = [len(str(value)) for value in cleaned if value]
        mean = sum(lengths) / len(lengths) if lengths else 0.0
        if name == "title" or (lengths and mean <= MAX_SHOWN_MEAN_CHARACTERS):
            shown[name] = cleaned
    return shown


def _shown(value: object) -> str | list[str] | None:
    """A value without markup, control characters and lone surrogates."""
    if isinstance(value, tuple):
        return [text for text in map(clean_value, value) if text] or None
    return clean_value(value) or None


def _check_enough(data: Dataset) -> None:
    """Refuse data that nothing can be learned from or measured on.

    Raises:
        DataError: One item, no pair of events to learn from, or no held-out event.
    """
    if data.items < 2:
        raise DataError(f"the catalogue has {data.items} item; ranking needs at least 2")
    if not any(len(history) > 1 for history in data.train):
        raise DataError("no user has two training events; leave-one-out needs users with 4 or more")
    for name, queries in (("validation", data.validation), ("test", data.test)):
        if not len(queries):
            raise DataError(
                f"no {name} event is left to evaluate: leave-one-out needs a user with at least 4 "
                "events whose last two items are new to them"
            )
