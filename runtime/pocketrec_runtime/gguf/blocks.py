"""How GGUF stores numbers: float32, float16, and blocks of 32 with one scale."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketrec_runtime.errors import BundleFormatError

BLOCK = 32
"""Numbers that share a scale."""


@dataclass(frozen=True)
class Encoding:
    """One of GGUF's tensor types.

    Attributes:
        name: Its name, for example "Q8_0".
        block: Numbers of one block; a row's length divides by it.
        block_bytes: Bytes of one block.
    """

    name: str
    block: int
    block_bytes: int

    def size_bytes(self, count: int) -> int:
        """Bytes of `count` numbers, which must fill whole blocks."""
        return count // self.block * self.block_bytes


# Numbers as in ggml.h's ggml_type.
ENCODINGS = {
    0: Encoding("F32", 1, 4),
    1: Encoding("F16", 1, 2),
    2: Encoding("Q4_0", BLOCK, 2 + BLOCK // 2),
    8: Encoding("Q8_0", BLOCK, 2 + BLOCK),
}


def decode(data: memoryview, encoding: Encoding, name: str) -> NDArray[np.float32]:
    """The numbers of a tensor, float32 (count,).

    Raises:
        BundleFormatError: One of them is NaN or infinite.
    """
    if encoding.name == "F32":
        values = np.frombuffer(data, "<f4").astype(np.float32)
    elif encoding.name == "F16":
        values = np.frombuffer(data, "<f2").astype(np.float32)
    elif encoding.name == "Q8_0":
        blocks = np.frombuffer(data, np.dtype([("scale", "<f2"), ("q", "i1", BLOCK)]))
        values = blocks["q"] * blocks["scale"].astype(np.float32)[:, None]
    else:
        blocks = np.frombuffer(data, np.dtype([("scale", "<f2"), ("q", "u1", BLOCK // 2)]))
        # The low halves are the first sixteen numbers; 8 stands for zero.
        halves = np.concatenate([blocks["q"] & 15, blocks["q"] >> 4], axis=1)
        values = (halves.astype(np.float32) - 8) * blocks["scale"].astype(np.float32)[:, None]
    if not np.isfinite(values).all():
        raise BundleFormatError(f"{name} holds NaN or infinity; export it again")
    return values.reshape(-1)
