"""Continued pretraining of the base LLM on item text and on behaviour, before all else."""

from pocketrec_distill.pretrain.settings import PretrainSettings
from pocketrec_distill.pretrain.train import PretrainStep, load_pretrained, pretrain

__all__ = ["PretrainSettings", "PretrainStep", "load_pretrained", "pretrain"]
