"""Versions of what computes, and ONNX Runtime's execution providers."""

import platform
from importlib import metadata

import numpy as np

from pocketrec_bench.device.words import words
from pocketrec_runtime.towers.providers import available_devices

PACKAGES = (
    "pocketrec",
    "numpy",
    "onnxruntime",
    "llama-cpp-python",
    "sentencepiece",
    "mlcommons-loadgen",
)


def versions() -> dict[str, str]:
    """By package: Python, NumPy's BLAS, and those of `PACKAGES` that are installed."""
    found = {"python": f"{platform.python_implementation()} {platform.python_version()}"}
    for package in PACKAGES:
        try:
            found[package] = words(metadata.version(package))
        except metadata.PackageNotFoundError:
            continue
    return found | {"blas": _blas()}


def providers() -> tuple[str, ...]:
    """Short names of the execution providers that the installed ONNX Runtime offers."""
    return available_devices()


def _blas() -> str:
    config = np.show_config(mode="dicts")
    blas = config.get("Build Dependencies", {}).get("blas", {}) if config else {}
    return words(f"{blas.get('name', '')} {blas.get('version', '')}")
