"""Models whose weights are no numbers are refused when a bundle is opened, not when it is asked."""

import dataclasses

import numpy as np
import pytest

import pocketrec_runtime as rt
from pocketrec_runtime.errors import BundleError, BundleFormatError


def spoiled(weights, name, value):
    changed = weights[name].copy()
    changed.flat[1] = value
    return {**weights, name: changed}


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("part", ["norm1", "q", "k", "v", "o", "norm2", "gate", "up", "down"])
def test_a_spoiled_user_tower_is_refused_at_open(
    tiny, sizes, weights, contents, tmp_path, part, value
):
    tower = tiny.user_tower(sizes, spoiled(weights, f"1.{part}", value))
    rt.write_bundle(tmp_path / "bundle", dataclasses.replace(contents, user_tower=tower))
    with pytest.raises(BundleError):
        rt.Engine.open(tmp_path / "bundle")


def test_one_nan_weight_is_named(tiny, sizes, weights, contents, tmp_path):
    tower = tiny.user_tower(sizes, spoiled(weights, "0.gate", np.nan))
    rt.write_bundle(tmp_path / "bundle", dataclasses.replace(contents, user_tower=tower))
    with pytest.raises(BundleFormatError, match=r"user_tower\.onnx holds a weight that is NaN"):
        rt.Engine.open(tmp_path / "bundle", self_test=False)


def test_one_nan_row_of_the_item_tower_is_refused(tiny, item_table, contents, tmp_path):
    table = item_table.copy()
    table[79, 3] = np.nan  # a token that no golden query, and maybe no text, has
    changed = dataclasses.replace(contents, item_tower=tiny.item_tower(table))
    rt.write_bundle(tmp_path / "bundle", changed)
    with pytest.raises(BundleFormatError, match=r"item_tower\.onnx holds a weight that is NaN"):
        rt.Engine.open(tmp_path / "bundle")
