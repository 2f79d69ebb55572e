"""GGUF, as far as a bundle uses it: a bounded reader of our own, and what the blocks mean.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md (version 3, little-endian).
"""

from pocketrec_runtime.gguf.reader import GgufFile, GgufTensor, read_gguf
from pocketrec_runtime.gguf.tower import check_tower, read_tower

__all__ = ["GgufFile", "GgufTensor", "check_tower", "read_gguf", "read_tower"]
