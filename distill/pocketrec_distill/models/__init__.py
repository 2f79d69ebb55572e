"""The recommenders: one sequence-model family in three sizes, and the floors they must beat."""

from pocketrec_distill.models.base import Scorer, SequenceModel, SequenceScorer
from pocketrec_distill.models.llama import TowerShape

__all__ = ["Scorer", "SequenceModel", "SequenceScorer", "TowerShape"]
