"""Catalogue values, their checks, and quantization by hand."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import pocketrec_runtime as rt
from pocketrec_runtime.errors import InputError


def test_quantize_by_hand():
    vectors = np.array([[2.54, -1.27, 0.004], [0, 0, 0]], np.float32)
    rows, scales = rt.quantize_rows(vectors)
    assert rows.tolist() == [[127, -64, 0], [0, 0, 0]]  # 63.5 rounds to even
    np.testing.assert_allclose(scales, [0.02, 0], rtol=1e-6)
    assert (rows.dtype, scales.dtype) == (np.int8, np.float32)


def test_quantized_subnormal_rows_stay_in_range():
    smallest = 2.0**-149
    rows, scales = rt.quantize_rows(np.array([[190 * smallest, -smallest]], np.float32))
    assert scales.tolist() == [smallest]  # 190 / 127 rounds to one step
    assert rows.tolist() == [[127, -1]]


@given(arrays(np.float32, (3, 2), elements=st.floats(-(2.0**80), 2.0**80, width=32)))
def test_quantization_error_is_within_half_a_scale(vectors):
    rows, scales = rt.quantize_rows(vectors)
    assert rows.min() >= -127
    error = np.abs(rows.astype(np.float64) * scales[:, None] - vectors)
    # Below 1e-37 a scale is subnormal and has few bits of its own.
    assert (error <= 0.51 * scales[:, None].astype(np.float64) + 1e-37).all()


@pytest.mark.parametrize(
    "vectors",
    [
        np.array([[1, np.nan]], np.float32),
        np.array([[np.inf, 0]], np.float32),
        np.ones((1, 2), np.float64),
        np.ones(2, np.float32),
    ],
)
def test_quantize_refuses(vectors):
    with pytest.raises(InputError):
        rt.quantize_rows(vectors)


def test_vectors_are_dequantized_and_read_only(catalogue):
    expected = catalogue.rows[2] * catalogue.scales[2]
    np.testing.assert_allclose(catalogue.vectors[2], expected, rtol=1e-6)
    assert catalogue.vectors is catalogue.vectors
    with pytest.raises(ValueError, match="read-only"):
        catalogue.vectors[0, 0] = 1


def test_float_rows_are_the_vectors(catalogue):
    rows = catalogue.vectors * 3
    plain = dataclasses.replace(catalogue, rows=rows, scales=None)
    np.testing.assert_array_equal(plain.vectors, rows)


def test_index_of(catalogue):
    assert catalogue.index_of("é漢") == 4
    assert catalogue.index_of("z") is None
    assert len(catalogue) == 5


def floats(*values):
    return np.array(values, np.float32)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ids": ("a", "b", "c", "d", "a")}, "'a' stands twice"),
        ({"ids": ("a", "b", "c", "d", "")}, "non-empty"),
        ({"ids": ("a", "b", "c", "d", 5)}, "is 5"),
        ({"ids": ("a", "b", "c", "d", "x\0y")}, "NUL"),
        ({"ids": ("a", "b", "c", "d", "\ud800")}, "lone surrogate"),
        ({"ids": ("a", "b", "c", "d")}, "4 items need"),
        ({"bias": floats(0, 0, 0, 0, np.nan)}, "bias hold NaN"),
        ({"bias": floats(0, 0, 0)}, "bias are"),
        ({"scales": floats(1, 1, 1, 1, -1)}, "scales hold -1"),
        ({"scales": floats(1, 1, 1, 1, np.inf)}, "scales hold NaN"),
        ({"scales": None}, "need scales"),
        ({"rows": np.full((5, 8), -128, np.int8)}, "-128"),
        ({"rows": np.zeros((5, 8), np.float64)}, "float64"),
        ({"rows": np.zeros((5, 8), np.float32)}, "no scales"),
        ({"rows": np.full((5, 8), np.nan, np.float32), "scales": None}, "rows hold NaN"),
        ({"popularity": floats(0.5, 0.1, 0, 0, 0)}, "sums to 0.6"),
        ({"popularity": floats(1.5, -0.5, 0, 0, 0)}, "popularity hold -0.5"),
        ({"columns": {}}, "title"),
        ({"columns": {"title": ["a"]}}, "1 values"),
        ({"columns": {"title": "abcde"}}, "5 values"),
        ({"columns": {"title": [1, 2, 3, 4, 5]}}, "title"),
        ({"columns": {"title": [None] * 5, "x": [True] * 5}}, "True"),
        ({"columns": {"title": [None] * 5, "x": [float("nan")] * 5}}, "nan"),
        ({"columns": {"title": [None] * 5, "x": [2**63] * 5}}, "63 bits"),
        ({"columns": {"title": [None] * 5, "x": [[1]] * 5}}, "lists of strings"),
        ({"columns": {"title": ["\ud800"] + [None] * 4}}, "lone surrogate"),
        ({"columns": {"title": ["\0"] + [None] * 4}}, "NUL"),
    ],
)
def test_bad_values_are_refused(catalogue, change, message):
    with pytest.raises(InputError, match=message):
        dataclasses.replace(catalogue, **change)


def test_popularity_may_be_all_zero(catalogue):
    assert dataclasses.replace(catalogue, popularity=np.zeros(5, np.float32))


@pytest.mark.parametrize("bad", [0.0, -1.0, float("inf"), float("nan")])
def test_calibration_refuses(bad):
    with pytest.raises(InputError, match="slope"):
        rt.Calibration(slope=bad)
    if bad in (0.0, -1.0):
        return
    with pytest.raises(InputError, match="intercept"):
        rt.Calibration(intercept=bad)


def test_calibration_by_hand():
    calibration = rt.Calibration(slope=2.0, intercept=-1.0)
    found = calibration.probability([0.5, 1.0, 1e30, -1e30, np.nan])
    expected = [0.5, 1 / (1 + np.exp(-1)), 1, 0, np.nan]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert found.dtype == np.float32


@pytest.mark.parametrize(
    "change",
    [
        {"width": 0},
        {"width": 4097},
        {"blocks": 129},
        {"window": 65_537},
        {"items": 10_000_001},
        {"heads": 3, "kv_heads": 2},
        {"rows": "int2"},
        {"user_tower": "coreml"},
    ],
)
def test_shape_refuses(shape, change):
    with pytest.raises(InputError, match=next(iter(change))):
        dataclasses.replace(shape, **change)


def test_item_tower_shape_refuses():
    with pytest.raises(InputError, match="max_tokens"):
        rt.ItemTowerShape(max_tokens=0)
    with pytest.raises(InputError, match="bias"):
        rt.ItemTowerShape(max_tokens=1, bias=float("nan"))
