"""The form in which an updated bundle stores its student: that of the bundle it came from.

The precision was chosen when the bundle was distilled, and devices download its bytes; an update
keeps both, and measures each epoch in that form.
"""

from copy import deepcopy
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from pocketrec_distill.export import export_gguf, export_user_tower
from pocketrec_distill.export.gguf import Precision as GgufPrecision
from pocketrec_distill.export.stored import StoredForm, stored_form
from pocketrec_distill.models.student import Student
from pocketrec_distill.training.fake_quant import round_tower
from pocketrec_runtime import BundleContents, quantize_rows
from pocketrec_runtime.gguf import check_tower
from pocketrec_runtime.shape import RowFormat

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class BundleForm:
    """How a bundle stores its student.

    Attributes:
        tower: How its ONNX tower stores matrices.
        rows: How its catalogue stores item vectors.
        gguf: How its GGUF tower stores matrices; None where it has none.
        window: Longest history, in events.
    """

    tower: StoredForm
    rows: RowFormat
    gguf: GgufPrecision | None
    window: int

    @classmethod
    def of(cls, contents: BundleContents) -> "BundleForm":
        """The form of a bundle with an ONNX tower."""
        model, gguf = contents.model, contents.user_tower_gguf
        precision = None if gguf is None else check_tower(gguf, model).precision
        tower = StoredForm() if contents.user_tower is None else stored_form(contents.user_tower)
        return cls(tower, model.rows, cast(GgufPrecision | None, precision), model.window)

    def stored(self, student: Student) -> Student:
        """A copy that holds the numbers its bundle would hold."""
        copy = deepcopy(student)
        if self.tower.bits is not None:
            round_tower(copy, self.tower.bits)
        with torch.no_grad():
            rows, scales = self.stored_rows(copy.item_vectors().detach().numpy())
            vectors = rows if scales is None else rows * scales[:, None]
            copy.items.residual.copy_(torch.from_numpy(vectors))
        return copy

    def stored_rows(self, vectors: Floats) -> tuple[NDArray[Any], Floats | None]:
        """Catalogue rows of item vectors (items, width), and their scales where they have some."""
        if self.rows == "float32":
            return np.ascontiguousarray(vectors), None
        return quantize_rows(np.ascontiguousarray(vectors), bits=4 if self.rows == "int4" else 8)

    def towers(self, student: Student) -> tuple[bytes, bytes | None]:
        """The user tower in ONNX, and in GGUF where the bundle has one, of the same numbers."""
        onnx = self.tower.store(export_user_tower(student))
        if self.gguf is None:
            return onnx, None
        return onnx, export_gguf(self.stored(student), self.window, self.gguf)
