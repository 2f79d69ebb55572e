"""Weights in as many files as their size asks for."""

import pytest
import torch

from pocketrec_distill.serving import weights
from pocketrec_distill.serving.weights import dump_weights, load_weights
from pocketrec_runtime.errors import BundleFormatError

TENSORS = {name: torch.full((4,), float(value)) for value, name in enumerate("abcde")}


@pytest.mark.parametrize(
    ("limit", "files"),
    [
        (1000, ["w.safetensors"]),
        (32, ["w.safetensors", "w_2.safetensors", "w_3.safetensors"]),
        # A tensor larger than a part has a file of its own.
        (3, [*("w.safetensors" if n == 1 else f"w_{n}.safetensors" for n in range(1, 6))]),
    ],
)
def test_all_files_together_are_what_was_written(
    limit: int, files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "PART_BYTES", limit)
    blobs = dump_weights("w", TENSORS)
    assert list(blobs) == files
    read = load_weights("w", {**blobs, "other.safetensors": b"", "w_9.safetensors": b""})
    assert sorted(read) == sorted(TENSORS)
    assert all(torch.equal(read[name], tensor) for name, tensor in TENSORS.items())


def test_a_tensor_twice_and_no_tensors_are_refused() -> None:
    (data,) = dump_weights("w", TENSORS).values()
    with pytest.raises(BundleFormatError, match="has the tensor 'a' twice"):
        load_weights("w", {"w.safetensors": data, "w_2.safetensors": data})
    with pytest.raises(BundleFormatError, match="cannot be read"):
        load_weights("w", {"w.safetensors": data[:-1]})
    with pytest.raises(KeyError):
        load_weights("w", {"w_2.safetensors": data})
