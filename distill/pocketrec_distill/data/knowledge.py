"""A knowledge graph beside the items: RecBole's `.kg` and `.link` (Zhao et al., CIKM 2021)."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pocketrec_distill.checks import not_negative, positive
from pocketrec_distill.data.columns import listed
from pocketrec_distill.data.tables import read_table
from pocketrec_distill.errors import ConfigError, DataError

# Freebase and Wikidata ids and the like: nothing that a language model could read.
_CODE = re.compile(r"([mgQqPp][._]?)?[0-9a-z_]*\d[0-9a-z_]*|[mg]\.\w+")


class Fact(NamedTuple):
    """One relation of an item, such as `directed by`; the name is empty where none is known."""

    relation: str
    entity: str
    name: str


@dataclass(frozen=True)
class KnowledgeSettings:
    """Relations of items from a knowledge graph, as words and as vectors.

    Attributes:
        kg: Path of the graph, RecBole's `.kg` (head_id, relation_id, tail_id); empty uses none.
            "auto" takes the one that stands beside the interactions in RecBole's layout.
        link: Path of RecBole's `.link` (item_id, entity_id); with "auto" it may be empty.
        width: Length of the vector that an item's relations add to its text's; 0 adds none.
        facts: Most relations told in an item's text, rarest entities first; only those whose
            entity has a readable name are told. 0 tells none.
        least_items: Entities with fewer items relate nothing and are left out.
        most_share: Entities with more than this share of the linked items tell nothing apart and
            are left out.
    """

    kg: str = ""
    link: str = ""
    width: int = 64
    facts: int = 6
    least_items: int = 2
    most_share: float = 0.1

    def __post_init__(self) -> None:
        if self.kg not in ("", "auto") and not self.link:
            raise ConfigError(f"[knowledge] kg is {self.kg!r} without link; give the .link too")
        not_negative("knowledge", self, "width", "facts")
        positive("knowledge", self, "least_items")
        if not 0 < self.most_share <= 1:
            raise ConfigError(f"[knowledge] most_share is {self.most_share}; give above 0, up to 1")


@dataclass(frozen=True)
class Knowledge:
    """What a graph says of each item.

    Attributes:
        facts: Relations per item, rarest entity first.
        linked: Number of items that the graph knows.
        left_out: Entities left out for standing with too few or too many items.
    """

    facts: tuple[tuple[Fact, ...], ...]
    linked: int
    left_out: int

    @property
    def entities(self) -> tuple[tuple[str, ...], ...]:
        """Ids of the entities of each item."""
        return tuple(tuple(fact.entity for fact in facts) for facts in self.facts)

    def __str__(self) -> str:
        count = sum(map(len, self.facts))
        return (
            f"knowledge: {self.linked:,} of {len(self.facts):,} items are linked, {count:,} "
            f"relations kept; {self.left_out:,} entities stand with too few or too many items"
        )


def read_knowledge(
    kg: Path,
    link: Path,
    item_ids: Sequence[str],
    titles: Sequence[str | None],
    settings: KnowledgeSettings,
) -> Knowledge:
    """Relations of the items, in either direction, each entity once per item.

    Raises:
        DataError: A file cannot be read, lacks a column, or links none of the items.
    """
    place = {item: row for row, item in enumerate(item_ids)}
    entity_of: dict[str, list[int]] = {}
    for item, entity in zip(*_columns(link, ("item_id", "entity_id")), strict=True):
        if item in place:
            entity_of.setdefault(entity, []).append(place[item])
    if not entity_of:
        raise DataError(f"{link.name} links none of the {len(item_ids):,} items to an entity")
    found: list[dict[str, str]] = [{} for _ in item_ids]
    heads, relations, tails = _columns(kg, ("head_id", "relation_id", "tail_id"))
    for head, relation, tail in zip(heads, relations, tails, strict=True):
        for entity, other in ((head, tail), (tail, head)):
            for row in entity_of.get(entity, ()):
                found[row].setdefault(other, relation)
    linked = sum(map(len, entity_of.values()))
    names = {entity: titles[rows[0]] or "" for entity, rows in entity_of.items()}
    return _kept(found, linked, names, settings)


def _columns(path: Path, names: Sequence[str]) -> list[list[str]]:
    table = read_table(path)
    if missing := [name for name in names if name not in table.column_names]:
        raise DataError(
            f"{path.name} has no column {missing[0]} among {listed(table.column_names)}; RecBole's "
            f"has {', '.join(names)}"
        )
    return [table.column(name).to_pylist() for name in names]


def _kept(
    found: Sequence[Mapping[str, str]],
    linked: int,
    names: Mapping[str, str],
    settings: KnowledgeSettings,
) -> Knowledge:
    """Relations to entities that are neither too rare nor too common."""
    counts = Counter(entity for relations in found for entity in relations)
    most = max(settings.least_items, settings.most_share * linked)
    fits = {e for e, count in counts.items() if settings.least_items <= count <= most}
    facts = []
    for relations in found:
        kept = sorted((counts[e], e) for e in relations if e in fits)
        facts.append(tuple(Fact(words_of(relations[e]), e, names.get(e) or readable(e))
                           for _, e in kept))  # fmt: skip
    return Knowledge(tuple(facts), linked, len(counts) - len(fits))


def words_of(relation: str) -> str:
    """`film.film.directed_by` as `directed by`."""
    return relation.rpartition(".")[2].replace("_", " ").strip() or relation


def readable(entity: str) -> str:
    """An entity's id as words; empty where it is a code such as `m.0bln8` or `Q42`."""
    if _CODE.fullmatch(entity):
        return ""
    return entity.replace("_", " ").strip()


def told(text: str, facts: Sequence[Fact], most: int) -> str:
    """An item's text with its first `most` readable relations behind it."""
    named = [fact for fact in facts if fact.name][:most]
    grouped: dict[str, list[str]] = {}
    for fact in named:
        grouped.setdefault(fact.relation, []).append(fact.name)
    return ". ".join([text, *(f"{relation}: {', '.join(n)}" for relation, n in grouped.items())])
