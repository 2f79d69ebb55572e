"""How recommenders are judged here: one protocol, used for every model and for the bundle."""

from pocketrec_distill.evaluation.bootstrap import Interval, mean_interval, paired_difference, ratio
from pocketrec_distill.evaluation.metrics import (
    RankingMetrics,
    coverage_at,
    mrr_at,
    ndcg_at,
    rank_of_target,
    ranks_of_targets,
    recall_at,
    summarise,
)

__all__ = [
    "Interval",
    "RankingMetrics",
    "coverage_at",
    "mean_interval",
    "mrr_at",
    "ndcg_at",
    "paired_difference",
    "rank_of_target",
    "ranks_of_targets",
    "ratio",
    "recall_at",
    "summarise",
]
