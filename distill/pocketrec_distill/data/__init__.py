"""Data in: tables of any common kind to `Interactions` and an `ItemTable`, cleaned and split."""

from pocketrec_distill.data.account import CleaningAccount
from pocketrec_distill.data.clean import clean
from pocketrec_distill.data.columns import InteractionColumns, find_columns
from pocketrec_distill.data.impressions import Impressions
from pocketrec_distill.data.interactions import Interactions
from pocketrec_distill.data.items import ItemTable, item_table
from pocketrec_distill.data.settings import DataSettings, DropRule
from pocketrec_distill.data.split import (
    Queries,
    Split,
    global_temporal,
    leave_one_out,
    split_by,
)
from pocketrec_distill.data.tables import read_table

__all__ = [
    "CleaningAccount",
    "DataSettings",
    "DropRule",
    "Impressions",
    "InteractionColumns",
    "Interactions",
    "ItemTable",
    "Queries",
    "Split",
    "clean",
    "find_columns",
    "global_temporal",
    "item_table",
    "leave_one_out",
    "read_table",
    "split_by",
]
