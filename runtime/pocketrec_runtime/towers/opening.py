"""From a bundle's contents to running towers: which file, which backend."""

import importlib.util

from pocketrec_runtime.bundle.contents import BundleContents
from pocketrec_runtime.errors import InputError
from pocketrec_runtime.towers.contract import UserTower
from pocketrec_runtime.towers.numpy_user import NumpyUserTower
from pocketrec_runtime.towers.onnx_item import OnnxItemTower
from pocketrec_runtime.towers.onnx_user import OnnxUserTower
from pocketrec_runtime.towers.settings import Backend, RunSettings


def open_user_tower(contents: BundleContents, settings: RunSettings) -> UserTower:
    """The user tower on the backend that the settings name.

    Raises:
        InputError: The bundle has no file for that backend, or a device is not there.
        MissingExtraError: The backend's package is not installed.
        BundleFormatError: The file does not open, or does not fit the manifest.
    """
    backend = _chosen(contents, settings)
    shape = contents.model
    if backend == "onnx":
        model = _required(contents.user_tower, "user_tower.onnx", backend)
        return OnnxUserTower(model, shape, settings.threads, settings.providers)
    model = _required(contents.user_tower_gguf, "user_tower.gguf", backend)
    if backend == "numpy":
        return NumpyUserTower(model, shape)
    # It imports much that no other backend needs.
    from pocketrec_runtime.towers.llama_user import LlamaUserTower

    return LlamaUserTower(model, shape, settings)


def open_item_tower(contents: BundleContents, settings: RunSettings) -> OnnxItemTower | None:
    """The item tower on ONNX Runtime's processor; None where the bundle has none.

    Raises:
        BundleFormatError: A file does not open, or does not fit the manifest.
    """
    shape = contents.model.item_tower
    if shape is None or contents.item_tower is None or contents.tokenizer is None:
        return None
    return OnnxItemTower(
        contents.item_tower,
        contents.tokenizer,
        width=contents.model.width,
        max_tokens=shape.max_tokens,
        threads=settings.threads,
        kind=shape.tokenizer,
    )


def backends_of(contents: BundleContents) -> list[Backend]:
    """The backends that this device can run these contents with, "auto"'s choice first."""
    backends: list[Backend] = [] if contents.user_tower is None else ["onnx"]
    if contents.user_tower_gguf is not None:
        if importlib.util.find_spec("llama_cpp") is not None:
            backends.append("llama")
        backends.append("numpy")
    return backends


def _chosen(contents: BundleContents, settings: RunSettings) -> Backend:
    return backends_of(contents)[0] if settings.backend == "auto" else settings.backend


def _required(model: bytes | None, name: str, backend: str) -> bytes:
    if model is None:
        raise InputError(
            f"backend {backend!r} needs {name}, which this bundle does not have; "
            'open it with backend="auto" or export it again'
        )
    return model
