"""A bundle of made-up items with the default student's sizes, for benchmarks of the runtime.

The towers have random weights: what they cost does not depend on what they learned. They are the
graphs of tests/runtime/models.py; `onnx` writes them.
"""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np

import pocketrec_runtime as rt

WIDTH, WINDOW, GENRES, BRANDS = 64, 50, 20, 2_000
WORDS = ("steel", "blue", "small", "office", "paper", "pen", "desk", "lamp", "pack", "large", "ink")


def made_up_bundle(path: Path, items: int, seed: int = 0) -> None:
    """Writes a bundle: ids of 16 characters, titles of 6 words, a brand, a year and genres."""
    models = _test_models()
    rng = np.random.default_rng(seed)
    sizes = models.Sizes(width=WIDTH, blocks=2, heads=2, kv_heads=2, head_dim=32, hidden=128)
    rows, scales = rt.quantize_rows(rng.normal(size=(items, WIDTH)).astype(np.float32))
    catalogue = rt.Catalogue(
        ids=[
            f"B{number:09d}{place:06d}"
            for place, number in enumerate(rng.integers(10**9, size=items))
        ],
        rows=rows,
        scales=scales,
        bias=np.zeros(items, np.float32),
        popularity=np.full(items, 1 / items, np.float32),
        columns={
            "title": [" ".join(rng.choice(WORDS, 6)) for _ in range(items)],
            "brand": [f"brand {brand}" for brand in rng.integers(BRANDS, size=items)],
            "year": rng.integers(1950, 2026, size=items).tolist(),
            "genres": [
                [f"genre {genre}" for genre in set(rng.integers(GENRES, size=2).tolist())]
                for _ in range(items)
            ],
        },
    )
    shape = rt.ModelShape(
        width=WIDTH, blocks=2, heads=2, kv_heads=2, head_dim=32, window=WINDOW, items=items,
        item_tower=rt.ItemTowerShape(max_tokens=32),
    )  # fmt: skip
    contents = rt.BundleContents(
        model=shape,
        catalogue=catalogue,
        calibration=rt.Calibration(),
        user_tower=models.user_tower(sizes, models.user_tower_weights(sizes, seed)),
        item_tower=models.item_tower(rng.normal(size=(80, WIDTH)).astype(np.float32)),
        tokenizer=models.tokenizer(
            [" ".join(WORDS), "the quick brown fox jumps over the lazy dog"]
        ),
    )
    golden = [list(catalogue.ids[:20]), list(catalogue.ids[50:51]), list(catalogue.ids[60:130])]
    rt.write_bundle(path, rt.record_golden(contents, golden))


def _test_models() -> ModuleType:
    path = Path(__file__).resolve().parents[2] / "tests" / "runtime" / "models.py"
    spec = importlib.util.spec_from_file_location("pocketrec_bench_models", path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
