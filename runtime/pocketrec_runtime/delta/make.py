"""A delta from new items' texts or vectors."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pocketrec_runtime.delta.delta import AS_IT_IS, CatalogueDelta
from pocketrec_runtime.errors import InputError
from pocketrec_runtime.packed import ColumnValue

if TYPE_CHECKING:
    from pocketrec_runtime.engine import Engine
    from pocketrec_runtime.store.texts import TextVectorCache


@dataclass(frozen=True, eq=False)
class NewItem:
    """An item to add, or to change where the catalogue holds its id.

    Attributes:
        item_id: Its id.
        text: What the bundle's item tower reads. With neither text nor vector the item keeps the
            vector and the bias that it has.
        vector: Its vector, (width,), in place of a text.
        bias: Its score bias; None is the bias that the bundle gives to new items.
        popularity: Its share of interactions; None keeps it, 0 where the item is new.
        columns: Title and filter columns by name.
    """

    item_id: str
    text: str | None = None
    vector: NDArray[np.float32] | None = None
    bias: float | None = None
    popularity: float | None = None
    columns: Mapping[str, ColumnValue] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.text is not None and self.vector is not None:
            raise InputError(f"item {self.item_id!r} has a text and a vector; give one of them")
        if self.bias is not None and self.is_kept:
            raise InputError(f"item {self.item_id!r} has a bias but no text or vector; give one")

    @property
    def is_kept(self) -> bool:
        """Whether the vector stays as it is."""
        return self.text is None and self.vector is None


def make_delta(
    engine: "Engine",
    items: Iterable[NewItem],
    *,
    retire: Sequence[str] = (),
    texts: "TextVectorCache | None" = None,
    known_bias: NDArray[np.float32] | None = None,
    known_popularity: NDArray[np.float32] | None = None,
) -> CatalogueDelta:
    """The delta that adds or changes items, and retires others, for an engine's model.

    Texts are encoded in one go. A column that an item does not give keeps its value, None where the
    item is new.

    Args:
        engine: Whose item tower encodes the texts.
        items: What to put; ids are unique.
        retire: Ids that are not to be recommended any more.
        texts: Where vectors of texts are kept, so that a text is encoded once.
        known_bias: New biases of the items that the catalogue begins with, float32 (any,).
        known_popularity: Their new shares of interactions, float32 (any,).

    Raises:
        InputError: A value is out of bounds, or a text is to be encoded and the bundle has no
            item tower.
    """
    items = list(items)
    names = sorted({name for item in items for name in item.columns})
    kept = np.array([item.is_kept for item in items], np.bool_)
    shape = engine.manifest.model
    usual = shape.new_item_bias
    biases = [0.0 if i.is_kept else usual if i.bias is None else i.bias for i in items]
    shares = [AS_IT_IS if item.popularity is None else item.popularity for item in items]
    return CatalogueDelta(
        model=engine.manifest.fingerprint,
        ids=[item.item_id for item in items],
        vectors=_vectors(engine, items, shape.width, texts),
        bias=np.array(biases, np.float32),
        kept=kept,
        popularity=np.array(shares, np.float32),
        columns={name: [_value(engine, item, name) for item in items] for name in names},
        retired=retire,
        known_bias=known_bias,
        known_popularity=known_popularity,
    )


def _vectors(
    engine: "Engine", items: Sequence[NewItem], width: int, cache: "TextVectorCache | None"
) -> NDArray[np.float32]:
    vectors = np.zeros((len(items), width), np.float32)
    texts = {at: item.text for at, item in enumerate(items) if item.text is not None}
    if texts and cache is not None:
        vectors[list(texts)] = cache.encode(engine, list(texts.values()))
    elif texts:
        vectors[list(texts)] = engine.encode_items(list(texts.values()))
    for at, item in enumerate(items):
        if item.vector is None:
            continue
        if item.vector.shape != (width,):
            raise InputError(
                f"item {item.item_id!r} has a vector of shape {item.vector.shape}; give ({width},)"
            )
        vectors[at] = item.vector
    return vectors


def _value(engine: "Engine", item: NewItem, name: str) -> ColumnValue:
    if name in item.columns:
        return item.columns[name]
    catalogue = engine.catalogue
    index = catalogue.index_of(item.item_id)
    return (
        None if index is None or name not in catalogue.columns else catalogue.columns[name][index]
    )
