"""What the packages' tests share: a small bundle, and a whole report.

The bundle's every answer can be computed by hand. Its user tower answers with the vector of the
last item, so that the score of an item is the inner product of two rows of `VECTORS`, plus the
item's bias.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pocketrec_runtime import (
    BundleContents,
    Calibration,
    Catalogue,
    ModelShape,
    record_golden,
    write_bundle,
)

IDS = ("50", "181", "x,y", "漢字", "عنصر")
VECTORS = ((1, 0, 0, 0), (1, 1, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 1, 1))
BIAS = (0.0, 0.0, 0.25, 0.0, 0.5)
POPULARITY = (0.4, 0.3, 0.1, 0.15, 0.05)
# A title that tries to colour the terminal, one in another script, one missing.
TITLES = ("Star Wars", "Return of the Jedi", "Red \x1b[31malert", "七人の侍", None)
GENRES = (("Action", "SciFi"), ("Action",), ("Comedy",), ("Drama",), ())
YEARS = (1977, 1983, 1990, 1954, None)
WIDTH, WINDOW = 4, 6


def last_item_tower() -> bytes:
    """An ONNX user tower: the last position's input, and a cache that grows by the inputs."""
    from onnx import TensorProto, helper, numpy_helper

    def floats(name: str, shape: list[str | int]) -> object:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    past = ["batch", 1, "past_length", WIDTH]
    total = ["batch", 1, "total_length", WIDTH]
    nodes = [
        helper.make_node("Gather", ["item_vectors", "minus_one"], ["user_vector"], axis=1),
        helper.make_node("Unsqueeze", ["item_vectors", "one"], ["new"]),
    ]
    nodes += [
        helper.make_node(
            "Concat", [f"past_key_values.0.{part}", "new"], [f"present.0.{part}"], axis=2
        )
        for part in ("key", "value")
    ]
    graph = helper.make_graph(
        nodes,
        "last_item",
        [floats("item_vectors", ["batch", "length", WIDTH])]
        + [floats(f"past_key_values.0.{part}", past) for part in ("key", "value")],
        [floats("user_vector", ["batch", WIDTH])]
        + [floats(f"present.0.{part}", total) for part in ("key", "value")],
        [
            numpy_helper.from_array(np.array(-1, np.int64), "minus_one"),
            numpy_helper.from_array(np.array([1], np.int64), "one"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(model.SerializeToString())


def tiny_contents(bias: tuple[float, ...] = BIAS) -> BundleContents:
    """The contents of the small bundle, its golden queries recorded."""
    contents = BundleContents(
        model=ModelShape(
            width=WIDTH,
            blocks=1,
            heads=1,
            kv_heads=1,
            head_dim=WIDTH,
            window=WINDOW,
            items=len(IDS),
            rows="float32",
        ),
        catalogue=Catalogue(
            ids=IDS,
            rows=np.array(VECTORS, np.float32),
            scales=None,
            bias=np.array(bias, np.float32),
            popularity=np.array(POPULARITY, np.float32),
            columns={"title": TITLES, "genre": GENRES, "year": YEARS},
        ),
        calibration=Calibration(slope=2.0, intercept=-1.0, fitted_on="validation"),
        user_tower=last_item_tower(),
        metrics={"test": {"ndcg@10": 0.5}},
        license="CC0-1.0",
        provenance={"made_by": "tests"},
    )
    return record_golden(contents, [["50"], ["漢字", "x,y"]], k=3)


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small bundle, as a directory; copy it before changing it."""
    path = tmp_path_factory.mktemp("tiny") / "bundle"
    write_bundle(path, tiny_contents())
    return path


@pytest.fixture(scope="session")
def shifted_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small bundle with another bias for the item "x,y", as a zip."""
    path = tmp_path_factory.mktemp("shifted") / "bundle.zip"
    write_bundle(path, tiny_contents((0.0, 0.0, 0.75, 0.0, 0.5)))
    return path


def _measured(ndcg: float, coverage: float) -> dict[str, Any]:
    return {
        "ndcg@10": ndcg,
        "recall@10": round(ndcg * 1.9, 4),
        "mrr@10": round(ndcg * 0.75, 4),
        "coverage@10": coverage,
        "ndcg@10_ci95": [round(ndcg - 0.011, 4), round(ndcg + 0.012, 4)],
        "users": 943,
    }


def _split(shift: float) -> dict[str, Any]:
    figures = {
        "teacher": (0.1012, 0.52),
        "student_fp32": (0.1061, 0.47),
        "shipped": (0.1058, 0.47),
        "control": (0.1003, 0.44),
        "sasrec": (0.0941, 0.49),
        "ease": (0.0879, 0.35),
        "itemitem": (0.0712, 0.41),
        "popularity": (0.0285, 0.06),
        "blend": (0.1077, 0.45),
    }
    return {name: _measured(ndcg + shift, cover) for name, (ndcg, cover) in figures.items()}


def _check(
    rival: str, status: str, value: float | None, ends: list[float] | None
) -> dict[str, Any]:
    name, measure, threshold = f"beats_{rival}", "difference", 0.0
    if rival == "blend":
        name, measure, threshold = "retention", "ratio", 0.9
    return {
        "name": name,
        "rival": rival,
        "measure": measure,
        "value": value,
        "ci95": ends,
        "threshold": threshold,
        "status": status,
        "passed": status == "passed",
        "level": "warn" if rival == "ease" else "fail",
        "users": 943,
    }


@pytest.fixture
def gate() -> dict[str, Any]:
    """The gate of a report: kept enough, not better than the control, EASE undecided."""
    return {
        "status": "failed",
        "passed": False,
        "enforced": True,
        "bundle": "my.bundle.failed",
        "checks": [
            _check("blend", "passed", 0.982, [0.961, 1.003]),
            _check("control", "failed", -0.0012, [-0.0041, 0.0017]),
            _check("ease", "undecided", 0.0021, [-0.0011, 0.0053]),
            _check("popularity", "failed", None, None),
        ],
    }


@pytest.fixture
def report() -> dict[str, Any]:
    """A report with plausible figures, every fixed key and every optional one."""
    epochs = [0.031, 0.062, 0.081, 0.094, 0.0985, 0.1012, 0.1004]
    return {
        "test": _split(0.0),
        "validation": _split(0.006),
        "retention": {"ratio": 1.0455, "ci95": [0.9812, 1.1134], "p": 0.081},
        "comparisons": [
            {"a": "shipped", "b": "teacher", "difference": 0.0046, "ci95": [-0.0019, 0.0114]},
            {"a": "shipped", "b": "sasrec", "difference": 0.0117, "ci95": [0.0031, 0.0205]},
            {"a": "shipped", "b": "blend", "difference": -0.0019, "ci95": [-0.0031, -0.0002]},
        ],
        "parameters": {"teacher": 134515008, "shipped": 268352, "sasrec": 241088},
        "bundle_bytes": 1_874_112,
        "seconds": {"prepare": 1.4, "encode": 92.0, "teacher": 431.2, "student": 205.9},
        "peak_memory_bytes": {
            "prepare": 310_000_000,
            "encode": 1_450_000_000,
            "teacher": 3_900_000_000,
            "student": 2_100_000_000,
        },
        "latency_ms": {
            "teacher": {"median": 84.1, "p95": 97.3},
            "shipped": {"median": 0.104, "p95": 0.131},
            "ratio": 808.7,
        },
        "history": [
            {"stage": stage, "epoch": epoch + 1, "loss": 6.9 - epoch * factor, "ndcg": ndcg}
            for stage, factor in (("teacher", 0.31), ("student", 0.22))
            for epoch, ndcg in enumerate(epochs)
        ],
        "parity": {
            "onnx_fp32": {"max_difference": 1.2e-6, "top10_overlap": 1.0, "kendall_tau": 1.0},
            "onnx_int8_rows": {
                "max_difference": 0.0131,
                "top10_overlap": 0.98,
                "kendall_tau": 0.993,
            },
        },
        "quantization": {"int8_rows": {"ndcg@10": 0.1058, "bytes": 107648, "shipped": True}},
        "data": {
            "interactions_read": 100000,
            "dropped": {"duplicate": 0, "missing_id": 3},
            "users": 943,
            "items": 1682,
        },
        "config": {"seed": 7, "student": {"width": 64, "blocks": 2}},
        "device": {"cpu": "2 cores", "threads": 1, "python": "3.11.7"},
    }
