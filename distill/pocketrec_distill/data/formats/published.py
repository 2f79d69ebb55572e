"""What the loader of a published format returns: tables that `prepare` understands."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pocketrec_distill.data.impressions import Impressions
from pocketrec_distill.data.settings import DataSettings

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, eq=False)
class Published:
    """One data set in a published format, read.

    Attributes:
        format: Name of the format, as in `[data] format`.
        interactions: Table of interactions, as published but for the names of its columns.
        items: Table of items; None where the interactions hold all that is known.
        settings: The settings given, with the format's columns and rules in them.
        impressions: Click data by part, such as "train" and "valid"; empty for other formats.
        notes: What was assumed or left out on the way, for the account.
        timeless: Why the order of events is not that of time, so that a temporal split would mean
            nothing; empty where it is.
        knowledge: Tables of a knowledge graph beside the data, RecBole's `.kg` and `.link`.
    """

    format: str
    interactions: "pa.Table"
    items: "pa.Table | None"
    settings: DataSettings
    impressions: Mapping[str, Impressions] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    timeless: str = ""
    knowledge: tuple[Path, Path] | None = None
