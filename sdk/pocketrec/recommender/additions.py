"""Items that an app adds to a bundle's catalogue, as texts that outlive the bundle.

Kept is what the app said, not what a model made of it: a new bundle's item tower reads the texts
anew, and where the new bundle holds an item by itself, what it knows is newer.
"""

import json
import logging
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from pocketrec_runtime import CatalogueDelta, Engine, NewItem, TextVectorCache, make_delta
from pocketrec_runtime.errors import InputError

log = logging.getLogger("pocketrec.recommender")


def merged(
    entries: Mapping[str, str], items: Iterable[NewItem], retire: Iterable[str], model: str
) -> dict[str, str]:
    """What is to be kept of new items and retired ids, over what was kept of them before.

    Args:
        entries: What is kept, by id.
        items: Added and changed items; what one does not give stays as it was.
        retire: Ids that are not to be recommended any more.
        model: Fingerprint of the bundle that they are said to.

    Raises:
        InputError: A value has no place in JSON.
    """
    changed: dict[str, str] = {}
    for item in items:
        before = json.loads(entries.get(item.item_id, "{}"))
        changed[item.item_id] = _dumped(item.item_id, {**before, **_given(item, before, model)})
    for item_id in retire:
        before = json.loads(entries.get(item_id, "{}"))
        changed[item_id] = _dumped(item_id, {**before, "model": model, "retired": True})
    return changed


def delta_of(
    engine: Engine, entries: Mapping[str, str], texts: TextVectorCache | None
) -> CatalogueDelta | None:
    """The delta that lays all of it over a bundle's own catalogue; None where nothing changes.

    Args:
        engine: Of the bundle itself, without any delta.
        entries: What is kept, by id.
        texts: Where vectors of texts are kept.

    Raises:
        InputError, DeltaError: An item does not fit the bundle that it was said to.
    """
    added, retired = [], []
    for item_id, entry in entries.items():
        said = json.loads(entry)
        is_own = engine.catalogue.index_of(item_id) is not None
        if said.get("retired"):
            retired += [item_id] if is_own else []
        elif said["model"] == engine.manifest.fingerprint:
            added.append(_new_item(item_id, said))
        elif not is_own and (item := _for_another_bundle(item_id, said, engine)) is not None:
            added.append(item)
    if not added and not retired:
        return None
    return make_delta(engine, added, retire=retired, texts=texts)


def _given(item: NewItem, before: Mapping[str, Any], model: str) -> dict[str, Any]:
    given: dict[str, Any] = {"model": model, "retired": False}
    if item.text is not None:
        given |= {"text": item.text, "vector": None}
    if item.vector is not None:
        given |= {"text": None, "vector": np.asarray(item.vector, np.float32).tolist()}
    if item.bias is not None:
        given["bias"] = item.bias
    if item.popularity is not None:
        given["popularity"] = item.popularity
    given["columns"] = {**before.get("columns", {}), **item.columns}
    return given


def _dumped(item_id: str, said: Mapping[str, Any]) -> str:
    try:
        return json.dumps(said, ensure_ascii=False, allow_nan=False, sort_keys=True)
    except (TypeError, ValueError) as error:
        raise InputError(f"item {item_id!r} cannot be kept: {error}") from error


def _new_item(item_id: str, said: Mapping[str, Any]) -> NewItem:
    vector = said.get("vector")
    return NewItem(
        item_id,
        text=said.get("text"),
        vector=None if vector is None else np.array(vector, np.float32),
        bias=said.get("bias"),
        popularity=said.get("popularity"),
        columns=said["columns"],
    )


def _for_another_bundle(item_id: str, said: Mapping[str, Any], engine: Engine) -> NewItem | None:
    """The item as a bundle that it was not said to can take it: by its text alone."""
    if said.get("text") is None or engine.manifest.model.item_tower is None:
        log.warning(
            "item %r was added to another bundle and has no text that this one reads; it is left "
            "out",
            item_id,
        )
        return None
    columns = {k: v for k, v in said["columns"].items() if k in engine.catalogue.columns}
    return NewItem(item_id, text=said["text"], popularity=said.get("popularity"), columns=columns)
