"""Named sources: real data and a real model from pinned packages, checked by hash, cached."""

from pocketrec_distill.sources.cache import cache_directory
from pocketrec_distill.sources.minilm import minilm
from pocketrec_distill.sources.movielens import movielens_100k
from pocketrec_distill.sources.smollm2 import smollm2

__all__ = ["cache_directory", "minilm", "movielens_100k", "smollm2"]
