"""pocketrec's runtime: opens a bundle and ranks its catalogue on this device.

    engine = Engine.open("bundle.zip")
    answer = engine.recommend(["item-1", "item-7"], k=10)

Knows NumPy; ONNX Runtime and SentencePiece are imported when a bundle is opened.
"""

from pocketrec_runtime.answers import RankedItem, Recommendation, Scores, TextScore, TextScores
from pocketrec_runtime.bundle import (
    BundleContents,
    BundleDiff,
    Golden,
    GoldenQuery,
    Manifest,
    diff_bundles,
    read_bundle,
    verify_files,
    write_bundle,
)
from pocketrec_runtime.calibration import Calibration, Curve
from pocketrec_runtime.catalogue import Catalogue
from pocketrec_runtime.deferral import DeferralPolicy, DeferralStep, defers
from pocketrec_runtime.delta import CatalogueDelta, NewItem, make_delta, read_delta, write_delta
from pocketrec_runtime.engine import Engine
from pocketrec_runtime.explain import Evidence, Explanation
from pocketrec_runtime.quantize import quantize_rows
from pocketrec_runtime.rules import (
    Boost,
    CalibratedShares,
    Cap,
    Deny,
    Diversity,
    ExposureLimit,
    Pin,
    Quota,
    RuleContext,
    Rules,
    load_rules,
)
from pocketrec_runtime.selftest import record_golden
from pocketrec_runtime.shape import ItemTowerShape, ModelShape
from pocketrec_runtime.state import UserState
from pocketrec_runtime.store import StateStore, StoreStats, TextVectorCache

__all__ = [
    "Boost",
    "BundleContents",
    "BundleDiff",
    "CalibratedShares",
    "Calibration",
    "Cap",
    "Catalogue",
    "CatalogueDelta",
    "Curve",
    "DeferralPolicy",
    "DeferralStep",
    "Deny",
    "Diversity",
    "Engine",
    "Evidence",
    "Explanation",
    "ExposureLimit",
    "Golden",
    "GoldenQuery",
    "ItemTowerShape",
    "Manifest",
    "ModelShape",
    "NewItem",
    "Pin",
    "Quota",
    "RankedItem",
    "Recommendation",
    "RuleContext",
    "Rules",
    "Scores",
    "StateStore",
    "StoreStats",
    "TextScore",
    "TextScores",
    "TextVectorCache",
    "UserState",
    "defers",
    "diff_bundles",
    "load_rules",
    "make_delta",
    "quantize_rows",
    "read_bundle",
    "read_delta",
    "record_golden",
    "verify_files",
    "write_bundle",
    "write_delta",
]
