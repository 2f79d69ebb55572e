"""Losses of training and distillation: one pure function each, with the paper that it is from."""

from pocketrec_distill.training.losses.closure import (
    MASKED,
    closure_kl,
    log_partition,
    sampled_hard_label_loss,
)
from pocketrec_distill.training.losses.full import full_catalogue_kl, hard_label_loss
from pocketrec_distill.training.losses.hidden import hidden_alignment
from pocketrec_distill.training.losses.pointwise import pointwise_kd
from pocketrec_distill.training.losses.ranking import RankingGains, ranking_kd, ranking_weights

__all__ = [
    "MASKED",
    "RankingGains",
    "closure_kl",
    "full_catalogue_kl",
    "hard_label_loss",
    "hidden_alignment",
    "log_partition",
    "pointwise_kd",
    "ranking_kd",
    "ranking_weights",
    "sampled_hard_label_loss",
]
