"""What changed from one bundle to another."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np

from pocketrec_runtime.bundle.manifest import Manifest
from pocketrec_runtime.bundle.reader import Bundle, read_bundle
from pocketrec_runtime.catalogue import Catalogue

Change = tuple[Any, Any]
"""Value in the first bundle and in the second; None where it has none."""


@dataclass(frozen=True)
class BundleDiff:
    """The differences of two bundles.

    Attributes:
        fingerprints: Model fingerprints of the first and the second.
        fields: Dotted manifest field (format, model, licence, provenance) -> its two values.
        metrics: Dotted metric name -> its two values.
        files_added: Names that only the second has, sorted; likewise the two below.
        files_removed: Names that only the first has.
        files_changed: Names whose hash differs.
        items_added: Item ids that only the second has, in its order.
        items_removed: Item ids that only the first has, in its order.
        items_changed: Ids in both whose vector, bias or columns differ, in the first's order.
    """

    fingerprints: tuple[str, str]
    fields: Mapping[str, Change]
    metrics: Mapping[str, Change]
    files_added: tuple[str, ...]
    files_removed: tuple[str, ...]
    files_changed: tuple[str, ...]
    items_added: tuple[str, ...]
    items_removed: tuple[str, ...]
    items_changed: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether both have the same files, metrics and manifest fields."""
        files = self.files_added or self.files_removed or self.files_changed
        return not (files or self.fields or self.metrics)

    def as_dict(self) -> dict[str, Any]:
        """The differences as JSON values; each metric that is a number has its `delta`."""
        metrics = {
            name: {"before": before, "after": after, "delta": _delta(before, after)}
            for name, (before, after) in self.metrics.items()
        }
        fields = {
            name: {"before": before, "after": after}
            for name, (before, after) in self.fields.items()
        }
        kinds = ("added", "removed", "changed")
        return {
            "same": self.same,
            "fingerprints": list(self.fingerprints),
            "fields": fields,
            "metrics": metrics,
            "files": {kind: list(getattr(self, f"files_{kind}")) for kind in kinds},
            "items": {kind: list(getattr(self, f"items_{kind}")) for kind in kinds},
        }


def diff_bundles(before: str | PathLike[str], after: str | PathLike[str]) -> BundleDiff:
    """The differences between two bundles, both verified first.

    Raises:
        BundleError: One of them cannot be read; as `read_bundle`.
    """
    return compare(read_bundle(before), read_bundle(after))


def compare(before: Bundle, after: Bundle) -> BundleDiff:
    """The differences between two bundles in memory."""
    old, new = before.manifest, after.manifest
    old_ids, new_ids = before.contents.catalogue.ids, after.contents.catalogue.ids
    in_old, in_new = set(old_ids), set(new_ids)
    return BundleDiff(
        fingerprints=(old.fingerprint, new.fingerprint),
        fields=_changes(_fields(old), _fields(new)),
        metrics=_changes(old.metrics, new.metrics),
        files_added=tuple(sorted(set(new.files) - set(old.files))),
        files_removed=tuple(sorted(set(old.files) - set(new.files))),
        files_changed=tuple(
            sorted(n for n in set(old.files) & set(new.files) if old.files[n] != new.files[n])
        ),
        items_added=tuple(item for item in new_ids if item not in in_old),
        items_removed=tuple(item for item in old_ids if item not in in_new),
        items_changed=_changed_items(before.contents.catalogue, after.contents.catalogue),
    )


def _fields(manifest: Manifest) -> dict[str, Any]:
    values = manifest.as_dict()
    return {
        key: value
        for key, value in values.items()
        if key not in ("fingerprint", "files", "metrics")
    }


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Change]:
    old, new = dict(_flat(before)), dict(_flat(after))
    return {
        name: (old.get(name), new.get(name))
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    }


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _delta(before: object, after: object) -> float | None:
    if isinstance(before, int | float) and isinstance(after, int | float):
        return float(after - before)
    return None


def _changed_items(before: Catalogue, after: Catalogue) -> tuple[str, ...]:
    pairs = [
        (old, new)
        for old, item in enumerate(before.ids)
        if (new := after.index_of(item)) is not None
    ]
    if not pairs:
        return ()
    old, new = np.array(pairs).T
    differs = before.bias[old] != after.bias[new]
    if before.width == after.width:
        differs |= (before.vectors[old] != after.vectors[new]).any(axis=1)
    else:
        differs[:] = True
    for i in np.flatnonzero(~differs):
        differs[i] = _columns_at(before, old[i]) != _columns_at(after, new[i])
    return tuple(before.ids[i] for i in old[differs])


def _columns_at(catalogue: Catalogue, index: int) -> dict[str, Any]:
    return {name: values[index] for name, values in catalogue.columns.items()}
