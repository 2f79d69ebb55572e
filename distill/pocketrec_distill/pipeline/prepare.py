"""The first stage: tables read, cleaned, split, and items turned into text."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pocketrec_distill.config import DistillConfig
from pocketrec_distill.data import (
    Interactions,
    ItemTable,
    Split,
    clean,
    find_columns,
    global_temporal,
    item_table,
    leave_one_out,
    read_table,
)
from pocketrec_distill.data.items import items_from_interactions
from pocketrec_distill.data.split import Queries
from pocketrec_distill.errors import DataError
from pocketrec_distill.llm.text import TextTemplate, clean_value
from pocketrec_distill.pipeline.dataset import Dataset, QuerySet

# Long prose stays out of the bundle: it feeds the language model, not the screen.
MAX_SHOWN_MEAN_CHARACTERS = 60

SPLITS: Mapping[str, Callable[[Interactions], Split]] = {
    "leave-one-out": leave_one_out,
    "temporal": global_temporal,
}


def prepare(
    interactions: Path, items: Path | None, config: DistillConfig, say: Callable[[str], None]
) -> Dataset:
    """Read, clean, split and index the two tables.

    Raises:
        DataError: A table cannot be read or mapped, or holds too little to learn from.
    """
    table = read_table(interactions, config.data.encoding)
    if items is None:
        column = find_columns(table.column_names, config.data).item
        catalogue, left_out = items_from_interactions(table, config.data, column), 0
    else:
        catalogue, left_out = item_table(read_table(items, config.data.encoding), config.data)
    cleaned, account = clean(table, config.data, frozenset(catalogue.item_ids))
    if left_out:
        account.notes.append(f"items table: {left_out:,} rows with a missing or repeated id")
    if items is None:
        catalogue = _only(catalogue, set(cleaned.item_ids))
    before = len(catalogue.item_ids)
    catalogue = catalogue.extended(cleaned.item_ids)
    if (added := len(catalogue.item_ids) - before) and items is not None:
        account.notes.append(f"{added:,} items stand in interactions only; their id is their text")
    say(str(account))
    split = SPLITS[config.run.split](cleaned)
    dataset = _indexed(cleaned, catalogue, split, config, account.as_dict())
    _check_enough(dataset)
    return dataset


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
