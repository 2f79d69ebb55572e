"""One error per malformation, each with a right seal, so that only the format can refuse it."""

import json
import os
import shutil
import socket

import numpy as np
import pytest

import pocketrec_runtime as rt
from pocketrec_runtime.errors import (
    BundleError,
    BundleFormatError,
    BundleIntegrityError,
    BundleNotFoundError,
    BundleVersionError,
    SelfTestError,
)


def test_resealing_an_unchanged_bundle_keeps_it_good(bundle_dir, reseal):
    before = (bundle_dir / "manifest.json").read_bytes()
    reseal(bundle_dir)
    assert (bundle_dir / "manifest.json").read_bytes() == before


@pytest.mark.parametrize("path", ["missing", "missing/deeper", "bundle/manifest.json/x", "a\0b"])
def test_nothing_there(bundle_dir, path):
    with pytest.raises(BundleNotFoundError):
        rt.read_bundle(bundle_dir.parent / path)


def test_empty_directory(tmp_path):
    with pytest.raises(BundleFormatError, match=r"manifest\.sha256 is missing"):
        rt.read_bundle(tmp_path)


def test_fifo_as_bundle(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(BundleFormatError, match="neither"):
        rt.read_bundle(tmp_path / "fifo")


@pytest.mark.parametrize("name", ["manifest.json", "manifest.sha256"])
def test_missing_manifest(bundle_dir, name):
    (bundle_dir / name).unlink()
    with pytest.raises(BundleFormatError, match=f"{name} is missing"):
        rt.read_bundle(bundle_dir)


def test_missing_and_unlisted_files(bundle_dir):
    (bundle_dir / "golden.json").rename(bundle_dir / "silver.json")
    with pytest.raises(BundleIntegrityError, match=r"missing files: golden\.json"):
        rt.read_bundle(bundle_dir)
    shutil.copy(bundle_dir / "silver.json", bundle_dir / "golden.json")
    with pytest.raises(BundleFormatError, match=r"does not list: silver\.json"):
        rt.read_bundle(bundle_dir)


def make_link(path):
    path.symlink_to("golden.json")


def make_socket(path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


@pytest.mark.parametrize("make", [make_link, make_socket, os.mkfifo, os.mkdir])
@pytest.mark.parametrize("folder", ["", "catalogue"])
def test_other_kinds_of_file(bundle_dir, make, folder, monkeypatch):
    monkeypatch.chdir(bundle_dir / folder)
    make(type(bundle_dir)("x.json"))
    with pytest.raises(BundleFormatError, match=r"x\.json' is"):
        rt.read_bundle(bundle_dir)


def test_link_in_place_of_a_listed_file(bundle_dir, tmp_path):
    listed = bundle_dir / "catalogue/ids.json"
    listed.rename(tmp_path / "ids.json")
    listed.symlink_to(tmp_path / "ids.json")
    with pytest.raises(BundleFormatError, match="a link"):
        rt.read_bundle(bundle_dir)


@pytest.mark.parametrize(
    "name", ["GOLDEN.JSON", "Golden.json", "golden", ".hidden.json", "a b.json", "é.json", "a-b.c",
             "x" * 60 + ".json", "catalogue.json/", "notes.TXT"],
)  # fmt: skip
def test_names_outside_the_grammar(bundle_dir, name):
    if name.endswith("/"):
        (bundle_dir / name).mkdir()
    else:
        (bundle_dir / name).write_bytes(b"{}")
    with pytest.raises(BundleFormatError):
        rt.read_bundle(bundle_dir)


def test_link_in_place_of_the_catalogue(bundle_dir, tmp_path):
    (bundle_dir / "catalogue").rename(tmp_path / "catalogue")
    (bundle_dir / "catalogue").symlink_to(tmp_path / "catalogue")
    with pytest.raises(BundleFormatError, match="a link"):
        rt.read_bundle(bundle_dir)


def test_too_many_files(bundle_dir):
    for i in range(70):
        (bundle_dir / f"x{i}.json").touch()
    with pytest.raises(BundleFormatError, match="more than 64"):
        rt.read_bundle(bundle_dir)


def test_huge_manifest_is_not_read(bundle_dir, monkeypatch):
    with (bundle_dir / "manifest.json").open("wb") as file:
        file.truncate(3 * 1024**3)  # sparse
    monkeypatch.setattr(
        "pocketrec_runtime.bundle.source.read_regular", lambda *_: pytest.fail("read")
    )
    with pytest.raises(BundleFormatError, match="limit is 4194304"):
        rt.read_bundle(bundle_dir)


def test_unreadable_file_is_a_bundle_error(bundle_dir, monkeypatch):
    def denied(*_args):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pocketrec_runtime.bundle.source.os.open", denied)
    with pytest.raises(BundleError, match="Permission denied"):
        rt.read_bundle(bundle_dir)


def refuse(bundle_dir, error, message):
    for read in (rt.read_bundle, rt.verify_files):
        with pytest.raises(error, match=message):
            read(bundle_dir)


@pytest.mark.parametrize("version", ["2.0", "10.3", "0.9"])
def test_other_major_version(bundle_dir, reseal, version):
    def change(manifest):
        manifest["format_version"] = version
        del manifest["model"]  # a newer major may look different everywhere else

    reseal(bundle_dir, change)
    refuse(bundle_dir, BundleVersionError, version)


def test_newer_minor_version_with_more_in_it(bundle_dir, reseal):
    (bundle_dir / "new_thing.bin").write_bytes(b"of version 1.7")

    def change(manifest):
        manifest["format_version"] = "1.7"
        manifest["novelty"] = {"a": 1}
        manifest["model"]["novelty"] = 2

    reseal(bundle_dir, change)
    assert rt.Engine.open(bundle_dir).manifest.format_version == "1.7"


@pytest.mark.parametrize("version", ["1", "1.0.0", "01.0", "1.x", "", "1.0 ", "1.²"])
def test_malformed_version(bundle_dir, reseal, version):
    reseal(bundle_dir, lambda m: m.update(format_version=version))
    refuse(bundle_dir, BundleFormatError, "format_version")


TOP = ("format", "format_version", "fingerprint", "files", "model", "metrics", "license")


@pytest.mark.parametrize("key", [*TOP, "provenance"])
def test_missing_manifest_key(bundle_dir, reseal, key):
    reseal(bundle_dir, lambda m: m.pop(key))
    refuse(bundle_dir, BundleFormatError, f"lacks '{key}'")


@pytest.mark.parametrize("key", [*TOP, "provenance"])
def test_manifest_key_of_another_type(bundle_dir, reseal, key):
    reseal(bundle_dir, lambda m: m.update({key: 5}))
    refuse(bundle_dir, BundleFormatError, key)


MODEL = ("width", "blocks", "heads", "kv_heads", "head_dim", "window", "items")


@pytest.mark.parametrize("key", [*MODEL, "rows", "user_tower", "item_tower"])
def test_missing_model_key(bundle_dir, reseal, key):
    reseal(bundle_dir, lambda m: m["model"].pop(key))
    refuse(bundle_dir, BundleFormatError, f"lacks '{key}'")


@pytest.mark.parametrize("key", MODEL)
@pytest.mark.parametrize("value", [0, -1, 2**40, 8.0, True, "8", None, 10**30])
def test_model_size_out_of_range(bundle_dir, reseal, key, value):
    reseal(bundle_dir, lambda m: m["model"].update({key: value}))
    refuse(bundle_dir, BundleFormatError, "manifest.json")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "zip"}, "format is 'zip'"),
        ({"files": {}}, "does not list"),
        ({"files": {"A.json": {"size_bytes": 1, "sha256": "0" * 64}}}, "no bundle file name"),
        ({"files": {"manifest.json": {"size_bytes": 1, "sha256": "0" * 64}}}, "seals it"),
        ({"files": {"a.json": {"size_bytes": 2**31 + 1, "sha256": "0" * 64}}}, "limit is"),
        ({"files": {"a.json": {"size_bytes": -1, "sha256": "0" * 64}}}, "-1 bytes"),
        ({"files": {"a.json": {"size_bytes": 1, "sha256": "A" * 64}}}, "64 hex"),
        ({"files": {"a.json": {"size_bytes": 1.0, "sha256": "0" * 64}}}, "an integer"),
        ({"files": {"a.json": 5}}, "an object"),
    ],
)
def test_manifest_values(bundle_dir, reseal, change, message):
    reseal(bundle_dir, lambda m: m.update(change))
    refuse(bundle_dir, BundleFormatError, message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": "int2"}, "int2"),
        ({"rows": "int4"}, "rows.i4"),
        ({"user_tower": "gguf"}, "gguf"),
        ({"rows": "float32"}, "rows.f32"),
        ({"item_tower": {"max_tokens": 7}}, "lacks 'bias'"),
        ({"item_tower": {"max_tokens": 0, "bias": 0}}, "max_tokens"),
        ({"item_tower": 5}, "an object"),
    ],
)
def test_model_values(bundle_dir, reseal, change, message):
    reseal(bundle_dir, lambda m: m["model"].update(change))
    refuse(bundle_dir, BundleFormatError, message)


def test_wrong_fingerprint(bundle_dir, reseal):
    reseal(bundle_dir, lambda m: m.update(fingerprint="0" * 64))
    refuse(bundle_dir, BundleIntegrityError, "fingerprint")


def seal_raw(bundle_dir, data):
    import hashlib

    (bundle_dir / "manifest.json").write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    (bundle_dir / "manifest.sha256").write_text(f"{digest}  manifest.json\n")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not the JSON"),
        (b"null", "must be an object"),
        (b"[]", "must be an object"),
        (b"\xff\xfe{}", "not the JSON"),
        (b"\xef\xbb\xbf{}", "not the JSON"),
        (b'{"a": 1, "a": 2}', "'a' stands twice"),
        (b'{"a": {"b": 1, "b": 1}}', "'b' stands twice"),
        (b'{"a": NaN}', "NaN is no JSON"),
        (b'{"a": -Infinity}', "-Infinity is no JSON"),
        (b'{"a": 1e999}', "too large a number"),
        (b'{"a": 1' + b"0" * 5000 + b"}", "too large an integer"),
        (b'{"a": "\\ud800"}', "lone surrogate"),
        (b"[" * 200_000, "not the JSON"),
        (b'{"a": 1,}', "not the JSON"),
        (b"{} {}", "not the JSON"),
    ],
)
def test_manifest_that_is_not_strict_json(bundle_dir, data, message):
    seal_raw(bundle_dir, data)
    refuse(bundle_dir, BundleFormatError, message)


def test_surrogate_pair_is_text(bundle_dir):
    data = (bundle_dir / "manifest.json").read_bytes()
    seal_raw(bundle_dir, data.replace(b'"Apache-2.0"', b'"\\ud83d\\ude00"'))
    assert rt.read_bundle(bundle_dir).manifest.license == "\N{GRINNING FACE}"


def floats(*values):
    return np.array(values, "<f4").tobytes()


def replace(bundle_dir, name, change):
    path = bundle_dir / name
    data = change(json.loads(path.read_bytes())) if name.endswith(".json") else change
    path.write_bytes(data if isinstance(data, bytes) else json.dumps(data).encode())


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("catalogue/rows.i8", b"\0" * 39, "39 bytes"),
        ("catalogue/rows.i8", b"\x80" + b"\0" * 39, "-128"),
        ("catalogue/scales.f32", floats(1, 1, 1, 1, np.nan), "scales hold NaN"),
        ("catalogue/scales.f32", floats(1, 1, 1, 1, -1), "scales hold -1"),
        ("catalogue/scales.f32", b"", "0 bytes"),
        ("catalogue/bias.f32", floats(1, 1, np.inf, 1, 1), "bias hold NaN"),
        ("catalogue/bias.f32", floats(1, 1, 1, 1), "16 bytes"),
        ("catalogue/popularity.f32", floats(1, 1, 0, 0, 0), "sums to 2"),
        ("catalogue/popularity.f32", floats(np.nan, 0, 0, 0, 0), "popularity hold NaN"),
        ("catalogue/ids.json", lambda ids: ids[:4], "5 items"),
        ("catalogue/ids.json", lambda ids: [*ids[:4], "a"], "twice"),
        ("catalogue/ids.json", lambda ids: [*ids[:4], 5], "non-empty strings"),
        ("catalogue/ids.json", lambda ids: [*ids[:4], ""], "non-empty strings"),
        ("catalogue/ids.json", lambda ids: [*ids[:4], "\0"], "NUL"),
        ("catalogue/ids.json", lambda ids: [*ids[:4], "\ud800"], "lone surrogate"),
        ("catalogue/ids.json", lambda _: {"a": 1}, "no list"),
        ("catalogue/ids.json", lambda _: b"[", "ids.json is not the JSON"),
        ("catalogue/columns.json", lambda _: [], "columns.json is not the JSON"),
        ("catalogue/columns.json", lambda c: {**c, "x": "abcde"}, "no object of lists"),
        ("catalogue/columns.json", lambda c: {"year": c["year"]}, "title"),
        ("catalogue/columns.json", lambda c: {**c, "x": [1]}, "1 values"),
        ("catalogue/columns.json", lambda c: {**c, "x": [{}] * 5}, "values are"),
        ("catalogue/columns.json", lambda c: {**c, "x": [True] * 5}, "values are"),
        ("calibration.json", lambda c: {**c, "slope": 0}, "slope"),
        ("calibration.json", lambda c: {**c, "slope": -1.5}, "slope"),
        ("calibration.json", lambda c: {**c, "slope": "1"}, "a number"),
        ("calibration.json", lambda c: {**c, "method": "isotonic"}, "isotonic"),
        ("calibration.json", lambda c: {**c, "slope": float("nan")}, "NaN"),
        ("calibration.json", lambda _: {}, "lacks"),
        ("golden.json", lambda g: {**g, "queries": []}, "no queries"),
        ("golden.json", lambda g: {**g, "queries": [5]}, "must be an object"),
        ("golden.json", lambda g: {**g, "tolerance": 0}, "tolerance"),
        ("golden.json", lambda g: {**g, "queries": [query(history=["nope"])]}, "nope"),
        ("golden.json", lambda g: {**g, "queries": [query(history=[])]}, "empty history"),
        ("golden.json", lambda g: {**g, "queries": [query(history=[1])]}, "no string"),
        ("golden.json", lambda g: {**g, "queries": [query(scores=[1, 2])]}, "2 scores"),
        ("golden.json", lambda g: {**g, "queries": [query(scores=["1"])]}, "no number"),
        ("golden.json", lambda g: {**g, "queries": [query(k=0)]}, "k 0"),
        ("golden.json", lambda g: {**g, "queries": [query(k=1.0)]}, "an integer"),
    ],
)
def test_values_of_files(bundle_dir, reseal, name, change, message):
    replace(bundle_dir, name, change)
    reseal(bundle_dir)
    assert rt.verify_files(bundle_dir)
    with pytest.raises(BundleFormatError, match=message):
        rt.read_bundle(bundle_dir)


def query(**change):
    return {"history": ["a"], "k": 1, "item_ids": ["b"], "scores": [0.5], **change}


def test_model_files_of_another_kind(bundle_dir, reseal):
    for name, message in (("user_tower.onnx", "user_tower"), ("tokenizer.model", "SentencePiece")):
        path = bundle_dir / name
        good = path.read_bytes()
        path.write_bytes(b"\x00garbage")
        reseal(bundle_dir)
        with pytest.raises(BundleFormatError, match=message):
            rt.Engine.open(bundle_dir)
        path.write_bytes(good)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda q: {**q, "scores": [q["scores"][0] + 0.01, *q["scores"][1:]]}, "by rank: item 0"),
        (lambda q: {**q, "item_ids": q["item_ids"][::-1]}, "by item"),
        (lambda q: {**q, "k": 4}, "3"),
    ],
)
def test_golden_queries_answered_otherwise(bundle_dir, reseal, change, message):
    def change_first(golden):
        first = {**golden["queries"][0], "history": ["a"], "k": 3}
        engine = rt.Engine.open(bundle_dir, self_test=False)
        answer = engine.recommend(["a"], 3)
        first["item_ids"] = [item.item_id for item in answer.items]
        first["scores"] = [item.score for item in answer.items]
        return {**golden, "queries": [change(first)]}

    replace(bundle_dir, "golden.json", change_first)
    reseal(bundle_dir)
    with pytest.raises(SelfTestError, match=message):
        rt.Engine.open(bundle_dir)
    assert rt.Engine.open(bundle_dir, self_test=False)


def test_near_ties_may_change_places_on_another_device(bundle_dir, reseal):
    def swap(golden):
        first = golden["queries"][1]
        ids, scores = first["item_ids"], first["scores"]
        gap = abs(scores[0] - scores[1])
        swapped = {**first, "item_ids": [ids[1], ids[0], *ids[2:]]}
        return {"tolerance": gap * 1.01, "queries": [swapped]}

    replace(bundle_dir, "golden.json", swap)
    reseal(bundle_dir)
    assert rt.Engine.open(bundle_dir)
