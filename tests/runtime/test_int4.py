"""4-bit rows: by hand, packed and back, in a bundle, malformed, and ranked exactly."""

import dataclasses
import json

import numpy as np
import pytest

import pocketrec_runtime as rt
from pocketrec_runtime.bundle import assemble
from pocketrec_runtime.errors import BundleFormatError, InputError
from pocketrec_runtime.quantize import pack_nibbles, unpack_nibbles


def test_packing_by_hand():
    rows = np.array([[1, -1, 7], [-7, 0, -2]], np.int8)
    packed = pack_nibbles(rows)
    assert packed.tolist() == [[0xF1, 0x07], [0x09, 0x0E]]
    assert unpack_nibbles(packed, 3).tolist() == rows.tolist()


@pytest.mark.parametrize("width", [1, 2, 7, 64])
def test_packing_keeps_every_value(width):
    rows = np.random.default_rng(width).integers(-7, 8, (9, width)).astype(np.int8)
    packed = pack_nibbles(rows)
    assert packed.shape == (9, (width + 1) // 2)
    np.testing.assert_array_equal(unpack_nibbles(packed, width), rows)


def test_bytes_that_no_row_has_are_refused():
    for byte in (0x08, 0x80):
        with pytest.raises(InputError, match="holds -8"):
            unpack_nibbles(np.array([[byte]], np.uint8), 2)
    with pytest.raises(InputError, match="unused half"):
        unpack_nibbles(np.array([[0x10]], np.uint8), 1)


def weighted_error(vectors, rows, scales, weights):
    return ((vectors - rows * scales[:, None]) ** 2 * weights).sum(axis=1)


def test_four_bits_by_hand():
    # 7 codes of step 0.5 fit exactly; a row of zeros has scale 0.
    rows, scales = rt.quantize_rows(np.array([[3.5, -0.5, 1], [0, 0, 0]], np.float32), 4)
    assert rows.tolist() == [[7, -1, 2], [0, 0, 0]]
    assert scales.tolist() == [0.5, 0]


def test_a_searched_scale_beats_the_largest_component():
    vectors = np.random.default_rng(1).standard_t(4, (300, 64)).astype(np.float32)
    naive = np.abs(vectors).max(axis=1, keepdims=True) / 7
    plain = ((vectors - np.rint(vectors / naive) * naive) ** 2).sum(axis=1)
    rows, scales = rt.quantize_rows(vectors, 4)
    found = weighted_error(vectors, rows, scales, np.ones(64))
    assert np.abs(rows).max() == 7
    assert (found <= plain * (1 + 1e-6)).all()
    assert found.mean() < 0.92 * plain.mean()


def test_importance_moves_the_error_to_where_it_does_not_matter():
    rng = np.random.default_rng(2)
    vectors = rng.normal(size=(400, 16)).astype(np.float32)
    vectors[:, 0] *= 8  # so large that it decides the scale, and of no importance
    weights = np.ones(16, np.float32)
    weights[0] = 0.001
    plain = weighted_error(vectors, *rt.quantize_rows(vectors, 4), weights).mean()
    found = weighted_error(vectors, *rt.quantize_rows(vectors, 4, importance=weights), weights)
    assert found.mean() < 0.8 * plain


def test_numbers_at_the_ends_of_float32():
    for size in (2.0**-149, 1e-40, 3e38):
        vectors = np.array([[size, -size, 0], [0, size, size]], np.float32)
        rows, scales = rt.quantize_rows(vectors, 4)
        assert np.isfinite(scales).all()
        assert (np.abs(rows) <= 7).all()
        np.testing.assert_allclose(rows * scales[:, None], vectors, rtol=0.1, atol=4 * 2.0**-149)


def test_bad_arguments_are_refused():
    vectors = np.ones((2, 3), np.float32)
    with pytest.raises(InputError, match="bits is 5"):
        rt.quantize_rows(vectors, 5)
    with pytest.raises(InputError, match="hold NaN"):
        rt.quantize_rows(vectors * np.float32(np.nan), 4)
    for weights in (np.ones(2), np.array([1, 1, -1.0]), np.array([1, 1, np.nan])):
        with pytest.raises(InputError, match="3 finite weights"):
            rt.quantize_rows(vectors, 4, importance=weights.astype(np.float32))


@pytest.fixture(scope="module")
def small(contents):
    """The contents with 4-bit rows."""
    rows, scales = rt.quantize_rows(contents.catalogue.vectors, 4)
    catalogue = dataclasses.replace(contents.catalogue, rows=rows, scales=scales)
    model = dataclasses.replace(contents.model, rows="int4")
    changed = dataclasses.replace(contents, model=model, catalogue=catalogue, golden=rt.Golden())
    return rt.record_golden(changed, [["a", "c"]], k=3)


def test_bundle_round_trip(small, tmp_path):
    rt.write_bundle(tmp_path / "b", small)
    assert len((tmp_path / "b/catalogue/rows.i4").read_bytes()) == 5 * 4
    assert not (tmp_path / "b/catalogue/rows.i8").exists()
    assert json.loads((tmp_path / "b/manifest.json").read_bytes())["format_version"] == "1.1"
    engine = rt.Engine.open(tmp_path / "b")
    np.testing.assert_array_equal(engine.catalogue.rows, small.catalogue.rows)
    assert engine.recommend(["a"], 2) == rt.Engine(assemble(small)).recommend(["a"], 2)


def test_eight_bit_bundles_stay_1_0(contents):
    assert assemble(contents).manifest.format_version == "1.0"


def test_rows_of_8_bits_do_not_pass_for_4(contents):
    model = dataclasses.replace(contents.model, rows="int4")
    with pytest.raises(InputError, match="beyond -7 to 7"):
        dataclasses.replace(contents, model=model)


@pytest.mark.parametrize(
    ("data", "message"), [(b"\0" * 19, "19 bytes"), (b"\x08" + b"\0" * 19, "-8")]
)
def test_malformed_rows_are_refused(small, tmp_path, reseal, data, message):
    rt.write_bundle(tmp_path / "b", small)
    (tmp_path / "b/catalogue/rows.i4").write_bytes(data)
    reseal(tmp_path / "b")
    with pytest.raises(BundleFormatError, match=message):
        rt.read_bundle(tmp_path / "b")


def test_a_reader_of_1_0_knows_no_int4():
    # What it says is what this reader says of the next unknown kind.
    with pytest.raises(InputError, match=r"rows is 'int2'; this runtime reads int8, int4, float32"):
        rt.ModelShape(8, 1, 1, 1, 8, 4, 5, rows="int2")
