"""Builds held against each other: ratios with intervals, and what noise does not let us say."""

from pocketrec_bench.compare.compare import KindComparison, Row, compare_cards, overall
from pocketrec_bench.compare.intervals import Interval
from pocketrec_bench.compare.kinds import Pair
from pocketrec_bench.compare.verdict import CompareSettings, Verdict
from pocketrec_bench.replicates import Agreement, agreement

__all__ = [
    "Agreement",
    "CompareSettings",
    "Interval",
    "KindComparison",
    "Pair",
    "Row",
    "Verdict",
    "agreement",
    "compare_cards",
    "overall",
]
