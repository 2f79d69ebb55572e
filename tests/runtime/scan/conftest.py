"""Catalogues that are hard to scan, and the reference."""

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import pocketrec_runtime as rt
from pocketrec_runtime.scan import integer


def _load(name: str) -> ModuleType:
    path = Path(__file__).with_name(f"{name}.py")
    spec = importlib.util.spec_from_file_location(f"pocketrec_tests_scan_{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def reference() -> ModuleType:
    return _load("reference")


@pytest.fixture(scope="module", params=[integer.BLOCKS, 16], ids=["a block a row", "few blocks"])
def blocks(request: pytest.FixtureRequest):
    """Small catalogues with blocks of one row, as they have, and of many, as large ones have."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(integer, "BLOCKS", request.param)
        yield


def make_catalogue(rows, scales=None, bias=None) -> rt.Catalogue:
    n = len(rows)
    return rt.Catalogue(
        ids=[f"i{index}" for index in range(n)],
        rows=rows,
        scales=None if scales is None else np.asarray(scales, np.float32),
        bias=np.zeros(n, np.float32) if bias is None else np.asarray(bias, np.float32),
        popularity=np.zeros(n, np.float32),
        columns={"title": [None] * n},
    )


KINDS = (
    "plain", "duplicates", "zeros", "subnormal", "huge", "mixed", "biased", "extreme bias", "ties",
    "float", "float huge",
)  # fmt: skip


def hard_catalogue(kind: str, n: int, width: int, seed: int) -> rt.Catalogue:
    """A catalogue of one kind of difficulty, from a seed."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(-127, 128, (n, width)).astype(np.int8)
    scales, bias = rng.uniform(0.5, 2, n), np.zeros(n)
    if kind == "duplicates":
        rows, scales = rows[rng.integers(0, min(n, 3), n)], np.ones(n)
    elif kind == "zeros":
        rows[rng.random(n) < 0.5] = 0
        scales[rng.random(n) < 0.3] = 0
    elif kind == "subnormal":
        scales = rng.integers(0, 4, n) * 2.0**-149
    elif kind == "huge":
        scales = rng.uniform(0.1, 1, n) * 3e38
    elif kind == "mixed":
        scales = 2.0 ** rng.integers(-149, 100, n)
    elif kind == "biased":
        bias = rng.normal(size=n) * 100
    elif kind == "extreme bias":
        bias = rng.choice([-3.4e38, -1e30, 0, 1e-45, 1e30, 3.4e38], n)
    elif kind == "ties":
        rows = rng.integers(-1, 2, (n, width)).astype(np.int8)
        scales, bias = np.ones(n), rng.integers(-1, 2, n)
    elif kind.startswith("float"):
        factor = 1e36 if kind == "float huge" else 1
        return make_catalogue((rng.normal(size=(n, width)) * factor).astype(np.float32), bias=bias)
    return make_catalogue(rows, scales, bias)


@pytest.fixture(scope="session")
def catalogue_of():
    return make_catalogue


@pytest.fixture(scope="session")
def hard():
    return hard_catalogue
