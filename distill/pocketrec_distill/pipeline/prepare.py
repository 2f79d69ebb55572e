"""The first stage: tables read, cleaned, split, and items turned into text."""

from collections.abc import Callable, Container, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pocketrec_distill.config import DistillConfig
from pocketrec_distill.data import (
    CleaningAccount,
    DataSettings,
    Interactions,
    ItemTable,
    Split,
    clean,
    split_by,
)
from pocketrec_distill.data.cold import ColdQueries, hold_out_items
from pocketrec_distill.data.formats import Published
from pocketrec_distill.data.inputs import (
    catalogue_of,
    columns_of_items,
    read_inputs,
    why_timeless,
)
from pocketrec_distill.data.items import on_unlisted
from pocketrec_distill.data.knowledge import Knowledge, KnowledgeSettings, read_knowledge, told
from pocketrec_distill.data.split import Queries, all_of, shared_times
from pocketrec_distill.errors import ConfigError, DataError
from pocketrec_distill.evaluation.queries import ColdItems, QuerySet
from pocketrec_distill.export.columns import shown_columns
from pocketrec_distill.llm.text import TextTemplate
from pocketrec_distill.models.base import History
from pocketrec_distill.pipeline.dataset import Dataset, aged

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
    catalogue, notes = catalogue_of(inputs)
    cleaned, account = clean(inputs.interactions, inputs.settings, frozenset(catalogue.item_ids))
    account.columns |= columns_of_items(inputs)
    account.notes[:0] = [*inputs.notes, *notes]
    if config.run.split == "temporal" and (why := why_timeless(inputs, cleaned, account)):
        raise ConfigError(f"[run] split is temporal, but {why}; or take leave-one-out")
    if inputs.items is None:
        catalogue = _only(catalogue, set(cleaned.item_ids))
    else:
        account.note(on_unlisted(cleaned.item_ids, catalogue.item_ids, "interactions"))
        catalogue = catalogue.extended(cleaned.item_ids)
    account.note(_on_baskets(cleaned, inputs.settings, config.run.split))
    cleaned, asked = _cold(cleaned, config, account)
    split = split_by(config.run.split, cleaned, baskets=inputs.settings.baskets)
    indexed = _Indexed(cleaned, catalogue, asked, config)
    knowledge = _knowledge(indexed.warm, inputs, config.knowledge)
    if knowledge is not None:
        account.note(str(knowledge))
    say(str(account))
    dataset = _timed(indexed.dataset(split, account.as_dict(), knowledge), split, inputs)
    _check_enough(dataset)
    if not config.run.refit:
        return dataset
    everything = all_of(cleaned)
    return replace(dataset, whole=_timed(indexed.trained(dataset, everything), everything, inputs))


def _timed(dataset: Dataset, split: Split, inputs: Published) -> Dataset:
    """The data with the ages of its events, where these have times."""
    if inputs.timeless or not split.train:
        return dataset
    return aged(dataset, split.train_times, split.gap)


def _knowledge(
    catalogue: ItemTable, inputs: Published, settings: KnowledgeSettings
) -> Knowledge | None:
    """What the graph in the settings, or the one beside the data, says of the catalogue."""
    if not settings.kg:
        return None
    paths = (Path(settings.kg), Path(settings.link))
    if settings.kg == "auto":
        if inputs.knowledge is None:
            raise ConfigError(
                "[knowledge] kg is auto, but no NAME.kg and NAME.link stand beside the "
                "interactions; give the folder of RecBole's files, or both paths"
            )
        paths = inputs.knowledge
    titles = [text if isinstance(text, str) else None for text in catalogue.columns["title"]]
    return read_knowledge(*paths, catalogue.item_ids, titles, settings)


def _cold(
    cleaned: Interactions, config: DistillConfig, account: CleaningAccount
) -> tuple[Interactions, ColdQueries | None]:
    """The interactions without those of cold items, and the questions that these become."""
    if not config.run.cold_share:
        return cleaned, None
    warm, asked = hold_out_items(cleaned, config.run.cold_share, config.run.seed)
    account.note(
        f"cold items: {len(asked.items):,} items with {len(cleaned) - len(warm):,} events held "
        f"out; {len(asked):,} queries ask for them"
    )
    return warm, asked


def _on_baskets(cleaned: Interactions, settings: DataSettings, split: str) -> str:
    """What the account says where leave-one-out might part a basket."""
    share = shared_times(cleaned)
    if settings.baskets or split != "leave-one-out" or share < NOTED_SHARED_TIMES:
        return ""
    return (
        f"{share:.0%} of the events share their time with another of the same user; if they are "
        "baskets, set [data] baskets = true, or a part of a basket tells the rest"
    )


def _only(catalogue: ItemTable, kept: Container[str]) -> ItemTable:
    return catalogue.selected([item for item in catalogue.item_ids if item in kept])


class _Indexed:
    """Codes of the interactions to places in the catalogue; cold items have places of their own."""

    def __init__(
        self,
        cleaned: Interactions,
        catalogue: ItemTable,
        asked: ColdQueries | None,
        config: DistillConfig,
    ) -> None:
        codes, self.users = cleaned.item_ids, cleaned.user_ids
        cold = [] if asked is None else [codes[code] for code in asked.items.tolist()]
        self.asked, self.cold_ids, self.catalogue = asked, tuple(cold), catalogue
        self.warm = _only(catalogue, set(catalogue.item_ids) - set(cold)) if cold else catalogue
        self.texts, self.knowledge = TextTemplate(config.text.template), config.knowledge
        place = {item: index for index, item in enumerate(self.warm.item_ids)}
        place |= {item: index for index, item in enumerate(cold)}
        self.places = np.array([place[item] for item in codes], dtype=np.int32)

    def dataset(
        self, split: Split, account: dict[str, Any], knowledge: Knowledge | None
    ) -> Dataset:
        """The split in catalogue order, with item texts and display columns."""
        texts = self.texts.render(self.warm.item_ids, self.warm.columns)
        entities: Sequence[Sequence[str]] = ()
        if knowledge is not None:
            most = self.knowledge.facts
            texts = [
                told(text, facts, most) for text, facts in zip(texts, knowledge.facts, strict=True)
            ]
            entities = knowledge.entities
        account["repeats_not_evaluated"] = {
            "validation": split.validation.repeats,
            "test": split.test.repeats,
        }
        asked = Dataset(
            item_ids=self.warm.item_ids,
            columns=shown_columns(self.warm),
            texts=texts,
            entities=entities,
            train=(),
            train_weights=(),
            validation=self._queries(split.validation, split.validation.following),
            test=self._queries(split.test),
            account=account,
            cold=self._cold(),
        )
        return self.trained(asked, split)

    def trained(self, dataset: Dataset, split: Split) -> Dataset:
        """The same data with the training events of another split."""
        return replace(
            dataset,
            train=[self.places[history] for history in split.train],
            train_weights=split.train_weights,
            train_users=tuple(self.users[user] for user in split.train_users),
        )

    def _queries(
        self, queries: Queries | ColdQueries, following: Sequence[History] = ()
    ) -> QuerySet:
        return QuerySet(
            [self.places[history] for history in queries.histories],
            self.places[queries.targets].astype(np.int64),
            tuple(self.users[user] for user in queries.users),
            [self.places[items] for items in following],
        )

    def _cold(self) -> ColdItems | None:
        if self.asked is None:
            return None
        cold = self.catalogue.selected(self.cold_ids)
        texts = self.texts.render(cold.item_ids, cold.columns)
        return ColdItems(cold.item_ids, texts, self._queries(self.asked))


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
                "events whose last two items are new to them, a temporal split one with events "
                "before the period and a new item in it"
            )
