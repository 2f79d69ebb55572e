"""The curve beside the Platt numbers: what it says, and what of it is refused."""

import dataclasses
import json

import numpy as np
import pytest

import pocketrec_runtime as rt
from pocketrec_runtime.errors import BundleFormatError, InputError


def test_a_curve_goes_over_the_platt_numbers():
    curve = rt.Curve((0.0, 1.0, 3.0), (0.1, 0.1, 0.7))
    found = rt.Calibration(slope=9.0, curve=curve).probability([-5.0, 0.5, 2.0, 3.0, 99.0, np.nan])
    np.testing.assert_allclose(found, [0.1, 0.1, 0.4, 0.7, 0.7, np.nan], rtol=1e-6)
    assert found.dtype == np.float32


@pytest.mark.parametrize(
    ("scores", "probabilities"),
    [((0.0, np.nan), (0.1, 0.2)), ((0.0, 1.0), (0.1, np.nan)), ((np.inf,), (0.5,))],
)
def test_a_curve_is_finite(scores, probabilities):
    with pytest.raises(InputError, match="calibration curve"):
        rt.Curve(scores, probabilities)


def test_a_curve_stands_in_the_bundle(contents, tmp_path):
    curve = rt.Curve((-1.0, 0.25), (0.0625, 0.5))
    changed = dataclasses.replace(contents, calibration=rt.Calibration(curve=curve))
    assert rt.write_bundle(tmp_path / "b", changed).format_version == "1.1"
    assert rt.read_bundle(tmp_path / "b").contents.calibration == changed.calibration
    assert "curve" not in contents.calibration.as_dict()


@pytest.mark.parametrize(
    ("curve", "message"),
    [
        ([1], "curve"),
        ({"scores": [0]}, "lacks"),
        ({"scores": [0, True], "probabilities": [0.1, 0.2]}, "numbers"),
        ({"scores": [0], "probabilities": [0.1, 0.2]}, "as many"),
        ({"scores": [], "probabilities": []}, "as many"),
        ({"scores": [0, 0], "probabilities": [0.1, 0.2]}, "above the last"),
        ({"scores": [0, 1], "probabilities": [0.2, 0.1]}, "must rise"),
        ({"scores": [0, 1], "probabilities": [0, 1.1]}, "within 0 to 1"),
    ],
)
def test_a_curve_of_another_form_is_refused(bundle_dir, reseal, curve, message):
    path = bundle_dir / "calibration.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "curve": curve}))
    reseal(bundle_dir)
    with pytest.raises(BundleFormatError, match=message):
        rt.read_bundle(bundle_dir)
