"""After ranking: deny lists, pins, boosts, caps, quotas, diversity, calibration, exposure.

rules = Rules(deny=Deny(ids={"7"}), caps=(Cap("brand", 2),), diversity=Diversity(0.3))
answer = engine.recommend(["50", "181"], k=10, rules=rules)

Pure functions over scores and catalogue columns; see docs/rules.md.
"""

from pocketrec_runtime.rules.apply import RuledAnswer, apply_rules
from pocketrec_runtime.rules.bound import bind
from pocketrec_runtime.rules.loading import load_rules, rules_from_mapping
from pocketrec_runtime.rules.ranking import Ranking, ScanRanking, ScoreRanking, ranking_of
from pocketrec_runtime.rules.settings import (
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
)

__all__ = [
    "Boost",
    "CalibratedShares",
    "Cap",
    "Deny",
    "Diversity",
    "ExposureLimit",
    "Pin",
    "Quota",
    "Ranking",
    "RuleContext",
    "RuledAnswer",
    "Rules",
    "ScanRanking",
    "ScoreRanking",
    "apply_rules",
    "bind",
    "load_rules",
    "ranking_of",
    "rules_from_mapping",
]
