"""What a teacher folder holds: the parts of the blend, merged and ready to rank."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.errors import ConfigError
from pocketrec_distill.models.floors import ItemItem
from pocketrec_distill.serving.tower_parts import TowerPart
from pocketrec_distill.teachers.refine import Say
from pocketrec_distill.teachers.settings import ClassifierSettings, YesNoSettings
from pocketrec_runtime import Catalogue
from pocketrec_runtime.limits import MAX_WINDOW

PartName = Literal["teacher", "control", "sasrec", "linear", "log_linear"]
LINEAR_PARTS = ("linear", "log_linear")
RefinerKind = Literal["classifier", "yes_no"]
MAX_CANDIDATES = 1000

_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")


@dataclass(frozen=True)
class WeightedPart:
    """One part of the blend.

    Attributes:
        name: "teacher" (the LLM), "control" (the text-fed small tower), "sasrec" (on ids),
            "linear", "log_linear".
        weight: Its weight in the sum, at least 0.
        floor: Of `log_linear`: added to each linear score before the logarithm.
    """

    name: PartName
    weight: float
    floor: float = 0.0

    def __post_init__(self) -> None:
        if self.name not in get_args(PartName):
            raise ConfigError(f"part {self.name!r} cannot be served; there are {PartName}")
        if not 0 <= self.weight < math.inf:
            raise ConfigError(f"weight of {self.name} is {self.weight}; it must be at least 0")
        if self.name == "log_linear" and not 0 < self.floor < math.inf:
            raise ConfigError(f"floor of log_linear is {self.floor}; it must be above 0")


@dataclass(frozen=True)
class GoldenScores:
    """What a made-up history must be answered with.

    Attributes:
        history: Item indices, oldest first.
        items: Item indices that are scored.
        scores: The pipeline's own scores of them, float32 (items,).
    """

    history: tuple[int, ...]
    items: tuple[int, ...]
    scores: NDArray[np.float32]


@dataclass(frozen=True)
class RefinerPart:
    """A candidate teacher: asked about the best items of what comes before it.

    Attributes:
        candidates: Items of one history that it is asked about.
        say: How much it is believed.
        settings: How it reads texts; they say which kind it is.
        files: Name -> bytes of a whole model in Hugging Face's layout, safetensors only.
        golden: Its own logits for made-up histories.
    """

    candidates: int
    say: Say
    settings: ClassifierSettings | YesNoSettings
    files: Mapping[str, bytes]
    golden: tuple[GoldenScores, ...] = ()

    @property
    def kind(self) -> RefinerKind:
        """Its name in a teacher folder."""
        return "yes_no" if isinstance(self.settings, YesNoSettings) else "classifier"

    def __post_init__(self) -> None:
        if not 2 <= self.candidates <= MAX_CANDIDATES:
            raise ConfigError(
                f"{self.kind} is asked about {self.candidates} candidates; give 2 to "
                f"{MAX_CANDIDATES}"
            )
        for name, factor in vars(self.say).items():
            if not 0 <= factor < math.inf:
                raise ConfigError(f"factor {name} of {self.kind} is {factor}; give 0 or more")
        for name in self.files:
            if not _FILE_NAME.fullmatch(name):
                raise ConfigError(f"{self.kind} has a file {name[:100]!r}, which is no plain name")


@dataclass(frozen=True)
class TeacherContents:
    """All that a server needs of a run.

    Attributes:
        catalogue: Ids, popularity and display columns; its rows are the vectors of the first tower.
            Its bias is added to what the parts say.
        window: Longest history that the towers read.
        parts: The blend: logits are the sum of weight times scores, and the catalogue's bias.
        towers: "teacher", "control" and "sasrec", as far as parts name them.
        linear: The item-item model, where a part names it.
        refiners: Candidate teachers, in the order in which they are asked.
        texts: Text of each item, which refiners read; empty where there is none.
        golden: Answers of the blend, without refiners, that an opened folder is held to.
        license: Licence of the whole.
        provenance: Free JSON: what it was made from.
    """

    catalogue: Catalogue
    window: int
    parts: tuple[WeightedPart, ...]
    towers: Mapping[str, TowerPart]
    linear: ItemItem | None = None
    refiners: tuple[RefinerPart, ...] = ()
    texts: tuple[str, ...] = ()
    golden: tuple[GoldenScores, ...] = ()
    license: str = "unspecified"
    provenance: Mapping[str, object] | None = None

    def __post_init__(self) -> None:
        names = [part.name for part in self.parts]
        if not names or len(set(names)) != len(names):
            raise ConfigError(f"parts are {names}; name at least one, and each once")
        if not 1 <= self.window <= MAX_WINDOW:
            raise ConfigError(f"window is {self.window}; it must be 1 to {MAX_WINDOW}")
        wanted = [name for name in names if name not in LINEAR_PARTS]
        if sorted(wanted) != sorted(self.towers):
            raise ConfigError(f"parts {names} need towers {wanted}; there are {[*self.towers]}")
        if any(name in LINEAR_PARTS for name in names) != (self.linear is not None):
            raise ConfigError(f"parts {names} and a linear model go together or not at all")
        self._check_items()
        kinds = [refiner.kind for refiner in self.refiners]
        if len(set(kinds)) != len(kinds):
            raise ConfigError(f"refiners are {kinds}; name each once")
        if len(self.texts) != (len(self.catalogue) if kinds else 0):
            raise ConfigError(
                f"{len(self.texts)} texts for {len(self.catalogue)} items and refiners {kinds}"
            )

    def _check_items(self) -> None:
        items = len(self.catalogue)
        for name, tower in self.towers.items():
            if tower.items != items:
                raise ConfigError(f"{name} has {tower.items} items, the catalogue {items}")
            if tower.longest is not None and tower.longest != self.window:
                raise ConfigError(f"{name} knows {tower.longest} positions, not {self.window}")
        if (linear := self.linear) is None:
            return
        dense = linear.dense
        inside = linear.items == items and len(dense) and 0 <= dense.min() <= dense.max() < items
        if not inside or len(np.unique(dense)) != len(dense) or not 0 < linear.decay <= 1:
            raise ConfigError("the linear model does not fit the catalogue")
        if (
            linear.weights.shape != (len(dense), len(dense))
            or not np.isfinite(linear.weights).all()
        ):
            raise ConfigError("the linear model's matrix is not square, or holds NaN")
