"""Differences between bundles, by hand."""

import dataclasses
import json

import numpy as np

import pocketrec_runtime as rt
from pocketrec_runtime.bundle import assemble
from pocketrec_runtime.bundle.diff import compare


def test_a_bundle_is_itself_in_both_transports(bundle_dir, bundle_zip):
    diff = rt.diff_bundles(bundle_dir, bundle_zip)
    assert diff.same
    assert diff.as_dict()["items"] == {"added": [], "removed": [], "changed": []}


def test_changes_are_named(contents):
    old = contents.catalogue
    rows, scales = old.rows.copy(), old.scales.copy()
    rows[1, 0] += 1  # b: its vector
    bias = old.bias.copy()
    bias[3] = 9  # d: its bias
    order = [4, 3, 2, 1, 0]  # the order alone is no change of an item
    ids = tuple(old.ids[i] for i in order)
    columns = {name: [values[i] for i in order] for name, values in old.columns.items()}
    columns["title"][2] = "Gamma"  # c: its title
    catalogue = rt.Catalogue(
        ids=("new", *ids[1:]),
        rows=rows[order],
        scales=scales[order],
        bias=bias[order],
        popularity=old.popularity[order],
        columns=columns,
    )
    changed = dataclasses.replace(
        contents,
        catalogue=catalogue,
        golden=rt.Golden(),
        metrics={"test": {"ndcg@10": 0.5, "extra": 1}, "split": "temporal"},
        license="MIT",
    )
    diff = compare(assemble(contents), assemble(changed))
    assert not diff.same
    assert diff.items_added == ("new",)
    assert diff.items_removed == ("é漢",)
    assert diff.items_changed == ("b", "c", "d")
    assert diff.files_changed == (
        "catalogue/bias.f32",
        "catalogue/columns.json",
        "catalogue/ids.json",
        "catalogue/popularity.f32",
        "catalogue/rows.i8",
        "catalogue/scales.f32",
        "golden.json",
    )
    assert diff.fields == {"license": ("Apache-2.0", "MIT")}
    metrics = diff.as_dict()["metrics"]
    assert metrics["test.ndcg@10"] == {"before": 0.25, "after": 0.5, "delta": 0.25}
    assert metrics["test.extra"] == {"before": None, "after": 1, "delta": None}
    assert metrics["split"]["delta"] is None
    assert json.loads(json.dumps(diff.as_dict())) == diff.as_dict()


def test_removed_files_and_model_fields(contents):
    model = dataclasses.replace(contents.model, item_tower=None)
    without = dataclasses.replace(contents, model=model, item_tower=None, tokenizer=None)
    diff = compare(assemble(contents), assemble(without))
    assert diff.files_removed == ("item_tower.onnx", "tokenizer.model")
    assert diff.fields["model.item_tower.max_tokens"] == (7, None)
    assert compare(assemble(without), assemble(contents)).files_added == diff.files_removed


def test_nothing_in_common(contents):
    catalogue = dataclasses.replace(contents.catalogue, ids=("p", "q", "r", "s", "t"))
    other = dataclasses.replace(contents, catalogue=catalogue, golden=rt.Golden())
    diff = compare(assemble(contents), assemble(other))
    assert diff.items_changed == ()
    assert len(diff.items_added) == len(diff.items_removed) == 5


def test_another_width_changes_every_item(contents):
    rows = np.zeros((5, 9), np.int8)
    catalogue = dataclasses.replace(contents.catalogue, rows=rows)
    model = dataclasses.replace(contents.model, width=9)
    other = dataclasses.replace(contents, catalogue=catalogue, model=model)
    diff = compare(assemble(contents), assemble(other))
    assert diff.items_changed == contents.catalogue.ids
