"""Tensors as files: several, where one would be larger than a folder's file may be."""

from collections.abc import Mapping

from torch import Tensor

from pocketrec_runtime.errors import BundleFormatError

PART_BYTES = 1024**3
"""Bytes of tensors in one file, but for a tensor that is larger by itself."""


def dump_weights(name: str, tensors: Mapping[str, Tensor]) -> dict[str, bytes]:
    """File name -> bytes, which `load_weights` reads back equal.

    Args:
        name: What the files are called: `name.safetensors`, `name_2.safetensors` and so on.
        tensors: At least one.
    """
    from safetensors.torch import save

    parts: list[dict[str, Tensor]] = [{}]
    filled = 0
    for key, tensor in tensors.items():
        if parts[-1] and filled + tensor.nbytes > PART_BYTES:
            parts.append({})
            filled = 0
        parts[-1][key] = tensor.contiguous()
        filled += tensor.nbytes
    return {_file(name, number): save(part) for number, part in enumerate(parts, 1)}


def load_weights(name: str, blobs: Mapping[str, bytes]) -> dict[str, Tensor]:
    """The tensors in all files of that name.

    Raises:
        BundleFormatError: A file holds no tensors, or one that another has too.
        KeyError: There is no file of that name.
    """
    tensors = _loaded(blobs[_file(name, 1)])
    number = 2
    while (data := blobs.get(_file(name, number))) is not None:
        more = _loaded(data)
        if twice := tensors.keys() & more.keys():
            raise BundleFormatError(f"{name} has the tensor {min(twice)!r} twice")
        tensors |= more
        number += 1
    return tensors


def _file(name: str, number: int) -> str:
    return f"{name}.safetensors" if number == 1 else f"{name}_{number}.safetensors"


def _loaded(data: bytes) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        tensors: dict[str, Tensor] = load(data)
    except (SafetensorError, KeyError) as error:
        raise BundleFormatError(f"weights cannot be read: {error}") from error
    return tensors
