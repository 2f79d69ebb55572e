"""What a bundle holds, decoded: what a writer needs and a reader gives."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pocketrec_runtime.bundle.golden import Golden
from pocketrec_runtime.calibration import Calibration
from pocketrec_runtime.catalogue import Catalogue
from pocketrec_runtime.deferral import DeferralPolicy
from pocketrec_runtime.errors import InputError
from pocketrec_runtime.quantize import INT4_MAX
from pocketrec_runtime.shape import ModelShape


@dataclass(frozen=True, eq=False)
class BundleContents:
    """All of a bundle but its hashes; the models stay bytes.

    Attributes:
        model: Sizes that the rest must agree with.
        catalogue: The items.
        calibration: Scores to probabilities.
        user_tower: Bytes of `user_tower.onnx`; None where the model is "gguf".
        item_tower: Bytes of `item_tower.onnx`, or None.
        tokenizer: Bytes of `tokenizer.model`; there if and only if the item tower is.
        golden: The self-test; `record_golden` fills it.
        metrics: Free JSON: metrics with the split they were measured on.
        license: The licence of the bundle, in words or as an SPDX expression.
        provenance: Free JSON: what the bundle was made from.
        user_tower_gguf: Bytes of `user_tower.gguf`, or None.
        deferral: When to ask a server, or None.
    """

    model: ModelShape
    catalogue: Catalogue
    calibration: Calibration
    user_tower: bytes | None = field(repr=False)
    item_tower: bytes | None = field(default=None, repr=False)
    tokenizer: bytes | None = field(default=None, repr=False)
    golden: Golden = field(default_factory=Golden)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    license: str = "unspecified"
    provenance: Mapping[str, Any] = field(default_factory=dict)
    user_tower_gguf: bytes | None = field(default=None, repr=False)
    deferral: DeferralPolicy | None = None

    def __post_init__(self) -> None:
        self._check_catalogue()
        formats = {"onnx": self.user_tower, "gguf": self.user_tower_gguf}
        if formats[self.model.user_tower] is None or (
            self.model.user_tower == "gguf" and self.user_tower is not None
        ):
            raise InputError(
                f"model.user_tower is {self.model.user_tower!r}; give user_tower for onnx, "
                "user_tower_gguf alone for gguf, both for onnx with gguf beside it"
            )
        towers = {self.model.item_tower is None, self.item_tower is None, self.tokenizer is None}
        if len(towers) != 1:
            raise InputError(
                "model.item_tower, item_tower and tokenizer go together; give all three or none"
            )
        for query in self.golden.queries:
            for item_id in (*query.history, *query.item_ids):
                if self.catalogue.index_of(item_id) is None:
                    raise InputError(f"golden item {item_id!r} is not in the catalogue")

    def _check_catalogue(self) -> None:
        expected = (self.model.items, self.model.width)
        if self.catalogue.rows.shape != expected:
            raise InputError(
                f"catalogue rows have shape {self.catalogue.rows.shape}; the model says {expected}"
            )
        rows = self.catalogue.rows
        if rows.dtype.name != ("int8" if self.model.rows == "int4" else self.model.rows):
            raise InputError(f"catalogue rows are {rows.dtype}; the model says {self.model.rows}")
        if self.model.rows == "int4" and rows.size and np.abs(rows).max() > INT4_MAX:
            raise InputError("catalogue rows go beyond -7 to 7; make them by quantize_rows(v, 4)")
