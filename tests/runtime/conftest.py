"""Fixtures: tiny real models, contents made from them, and bundles written from those."""

import hashlib
import importlib.util
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import pocketrec_runtime as rt


def _load(name: str) -> ModuleType:
    # importmode=importlib keeps siblings off sys.path.
    path = Path(__file__).with_name(f"{name}.py")
    spec = importlib.util.spec_from_file_location(f"pocketrec_tests_runtime_{name}", path)
    module = importlib.util.module_from_spec(spec)
    # dataclasses look their module up while it runs.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


models = _load("models")

# Five items, so that no axis has the length of another (width 8, window 6, hidden 12).
IDS = ("a", "b", "c", "d", "é漢")
TITLES = ("Alpha", "Beta", None, "Delta", "Épsilon 漢字")
SENTENCES = [
    "the quick brown fox jumps over the lazy dog",
    "alpha beta gamma delta epsilon and more of the same words",
    "a film about foxes and dogs that jump",
]


@pytest.fixture(scope="session")
def tiny() -> ModuleType:
    return models


@pytest.fixture(scope="session")
def sizes():
    return models.Sizes()


@pytest.fixture(scope="session")
def weights(sizes):
    return models.user_tower_weights(sizes)


@pytest.fixture(scope="session")
def user_tower(sizes, weights) -> bytes:
    return models.user_tower(sizes, weights)


@pytest.fixture(scope="session")
def tokenizer() -> bytes:
    return models.tokenizer(SENTENCES)


@pytest.fixture(scope="session")
def item_table(sizes) -> np.ndarray:
    return np.random.default_rng(3).normal(size=(80, sizes.width)).astype(np.float32)


@pytest.fixture(scope="session")
def item_tower(item_table) -> bytes:
    return models.item_tower(item_table)


@pytest.fixture(scope="session")
def shape(sizes) -> rt.ModelShape:
    return rt.ModelShape(
        width=sizes.width,
        blocks=sizes.blocks,
        heads=sizes.heads,
        kv_heads=sizes.kv_heads,
        head_dim=sizes.head_dim,
        window=6,
        items=len(IDS),
        item_tower=rt.ItemTowerShape(max_tokens=7),
    )


@pytest.fixture(scope="session")
def catalogue(sizes) -> rt.Catalogue:
    vectors = np.random.default_rng(11).normal(size=(len(IDS), sizes.width)).astype(np.float32)
    rows, scales = rt.quantize_rows(vectors)
    return rt.Catalogue(
        ids=IDS,
        rows=rows,
        scales=scales,
        bias=np.array([0.1, -0.2, 0.0, 0.3, 0.05], np.float32),
        popularity=np.array([0.1, 0.4, 0.1, 0.3, 0.1], np.float32),
        columns={
            "title": TITLES,
            "year": (1999, 2001, None, 1999, 2010.5),
            "genres": (("drama", "war"), ("comedy",), (), ("war",), ("comedy", "drama")),
        },
    )


@pytest.fixture(scope="session")
def contents(shape, catalogue, user_tower, item_tower, tokenizer) -> rt.BundleContents:
    unrecorded = rt.BundleContents(
        model=shape,
        catalogue=catalogue,
        calibration=rt.Calibration(slope=1.5, intercept=-0.5, fitted_on="three made-up users"),
        user_tower=user_tower,
        item_tower=item_tower,
        tokenizer=tokenizer,
        metrics={"test": {"ndcg@10": 0.25}, "split": "leave-one-out"},
        license="Apache-2.0",
        provenance={"seed": 7},
    )
    return rt.record_golden(unrecorded, [["a", "c"], ["é漢"]], k=3)


@pytest.fixture(scope="session")
def _pristine(contents, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("pristine")
    rt.write_bundle(path / "bundle", contents)
    rt.write_bundle(path / "bundle.zip", contents)
    return path


@pytest.fixture
def bundle_dir(_pristine, tmp_path) -> Path:
    """A directory bundle that the test may damage."""
    return Path(shutil.copytree(_pristine / "bundle", tmp_path / "bundle"))


@pytest.fixture
def bundle_zip(_pristine, tmp_path) -> Path:
    """A zip bundle that the test may damage."""
    return Path(shutil.copy(_pristine / "bundle.zip", tmp_path / "bundle.zip"))


@pytest.fixture(scope="session")
def engine(_pristine) -> rt.Engine:
    return rt.Engine.open(_pristine / "bundle")


@pytest.fixture
def reseal() -> Callable[[Path], None]:
    """Makes manifest and seal of a directory agree with its files again, however broken."""

    def sha256(data: bytes) -> str:
        return hashlib.sha256(data).hexdigest()

    def run(path: Path, change: Callable[[dict], object] = dict.copy) -> None:
        manifest = json.loads((path / "manifest.json").read_bytes())
        files = {
            file.relative_to(path).as_posix(): file.read_bytes()
            for file in sorted(path.rglob("*"))
            if file.is_file() and not file.name.startswith("manifest.")
        }
        manifest["files"] = {
            name: {"size_bytes": len(data), "sha256": sha256(data)} for name, data in files.items()
        }
        lines = "".join(f"{sha256(files[name])}  {name}\n" for name in sorted(files))
        manifest["fingerprint"] = sha256(lines.encode())
        change(manifest)
        data = json.dumps(manifest, sort_keys=True, indent=2, ensure_ascii=False).encode() + b"\n"
        (path / "manifest.json").write_bytes(data)
        (path / "manifest.sha256").write_text(f"{sha256(data)}  manifest.json\n")

    return run
