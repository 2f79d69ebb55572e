"""What is written is what is read, in both transports, byte for byte the same each time."""

import dataclasses
import hashlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

import pocketrec_runtime as rt
from pocketrec_runtime.bundle import assemble
from pocketrec_runtime.errors import InputError

FILES = {
    "calibration.json",
    "catalogue/bias.f32",
    "catalogue/columns.json",
    "catalogue/ids.json",
    "catalogue/popularity.f32",
    "catalogue/rows.i8",
    "catalogue/scales.f32",
    "golden.json",
    "item_tower.onnx",
    "tokenizer.model",
    "user_tower.onnx",
}


def assert_same(found: rt.BundleContents, expected: rt.BundleContents) -> None:
    for name in ("model", "calibration", "golden", "user_tower", "item_tower", "tokenizer"):
        assert getattr(found, name) == getattr(expected, name), name
    for name in ("metrics", "license", "provenance"):
        assert getattr(found, name) == getattr(expected, name), name
    assert found.catalogue.ids == expected.catalogue.ids
    assert found.catalogue.columns == expected.catalogue.columns
    for name in ("rows", "scales", "bias", "popularity", "vectors"):
        one, other = getattr(found.catalogue, name), getattr(expected.catalogue, name)
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", ["bundle", "bundle.zip", "BUNDLE.ZIP"])
def test_round_trip(contents, tmp_path, name):
    written = rt.write_bundle(tmp_path / name, contents)
    bundle = rt.read_bundle(tmp_path / name)
    assert bundle.manifest == written == rt.verify_files(tmp_path / name)
    assert bundle.manifest == assemble(contents).manifest
    assert set(bundle.manifest.files) == FILES
    assert_same(bundle.contents, contents)


def test_round_trip_of_float_rows_without_item_tower(contents, tmp_path):
    catalogue = dataclasses.replace(
        contents.catalogue, rows=contents.catalogue.vectors.copy(), scales=None
    )
    model = dataclasses.replace(contents.model, rows="float32", item_tower=None)
    plain = dataclasses.replace(
        contents, model=model, catalogue=catalogue, item_tower=None, tokenizer=None
    )
    rt.write_bundle(tmp_path / "b", plain)
    bundle = rt.read_bundle(tmp_path / "b")
    assert "catalogue/rows.f32" in bundle.manifest.files
    assert "catalogue/scales.f32" not in bundle.manifest.files
    assert bundle.contents.catalogue.scales is None
    np.testing.assert_array_equal(bundle.contents.catalogue.rows, catalogue.rows)
    assert rt.Engine.open(tmp_path / "b").recommend(["a"]).source == "device"


def test_strided_arrays_are_written_in_order(contents, tmp_path):
    wide = np.zeros((5, 16), np.int8)
    wide[:, ::2] = contents.catalogue.rows
    catalogue = dataclasses.replace(contents.catalogue, rows=wide[:, ::2])
    assert not catalogue.rows.flags.c_contiguous
    rt.write_bundle(tmp_path / "b", dataclasses.replace(contents, catalogue=catalogue))
    found = rt.read_bundle(tmp_path / "b").contents.catalogue.rows
    np.testing.assert_array_equal(found, contents.catalogue.rows)


def test_writes_are_deterministic(contents, tmp_path):
    for name in ("one.zip", "two.zip"):
        rt.write_bundle(tmp_path / name, contents)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_unzipped_zip_is_the_directory(bundle_dir, bundle_zip, tmp_path):
    with zipfile.ZipFile(bundle_zip) as archive:
        archive.extractall(tmp_path / "out")
    names = {p.relative_to(bundle_dir) for p in bundle_dir.rglob("*") if p.is_file()}
    assert names == {p.relative_to(tmp_path / "out") for p in (tmp_path / "out").rglob("*.*")}
    for name in names:
        assert (bundle_dir / name).read_bytes() == (tmp_path / "out" / name).read_bytes()
    assert rt.read_bundle(tmp_path / "out").manifest == rt.read_bundle(bundle_zip).manifest


def test_layout_is_the_specification(bundle_dir):
    raw = (bundle_dir / "manifest.json").read_bytes()
    manifest = json.loads(raw)
    assert raw.decode() == json.dumps(manifest, sort_keys=True, indent=2, ensure_ascii=False) + "\n"
    assert manifest["format"] == "pocketrec-bundle"
    assert manifest["format_version"] == "1.0"
    lines = []
    for name in sorted(FILES):
        data = (bundle_dir / name).read_bytes()
        sha256 = hashlib.sha256(data).hexdigest()
        assert manifest["files"][name] == {"size_bytes": len(data), "sha256": sha256}
        lines.append(f"{sha256}  {name}\n")
    assert manifest["fingerprint"] == hashlib.sha256("".join(lines).encode()).hexdigest()
    assert manifest["model"] == {
        "width": 8, "blocks": 2, "heads": 2, "kv_heads": 1, "head_dim": 4, "window": 6, "items": 5,
        "rows": "int8", "user_tower": "onnx", "item_tower": {"max_tokens": 7, "bias": 0.0},
    }  # fmt: skip
    seal = (bundle_dir / "manifest.sha256").read_text()
    assert seal == f"{hashlib.sha256(raw).hexdigest()}  manifest.json\n"


def test_raw_files_by_hand(bundle_dir):
    bias = np.frombuffer((bundle_dir / "catalogue/bias.f32").read_bytes(), "<f4")
    assert bias.tolist() == np.array([0.1, -0.2, 0.0, 0.3, 0.05], np.float32).tolist()
    assert (bundle_dir / "catalogue/ids.json").read_bytes() == '["a","b","c","d","é漢"]\n'.encode()
    assert len((bundle_dir / "catalogue/rows.i8").read_bytes()) == 5 * 8


def test_sha256sum_reads_the_seal(bundle_dir):
    command = ["sha256sum", "--check", "--strict", "manifest.sha256"]
    answer = subprocess.run(command, cwd=bundle_dir, capture_output=True, text=True, check=True)
    assert answer.stdout == "manifest.json: OK\n"


def test_zip_seal_by_hand(bundle_zip):
    data = bundle_zip.read_bytes()
    assert data[-81:-64] == b"pocketrec-sha256:"
    assert data[-64:].decode() == hashlib.sha256(data[:-81]).hexdigest()
    with zipfile.ZipFile(bundle_zip) as archive:
        members = archive.infolist()
        assert [m.filename for m in members] == sorted(m.filename for m in members)
        assert {m.compress_type for m in members} == {zipfile.ZIP_STORED}
        assert {m.date_time for m in members} == {(1980, 1, 1, 0, 0, 0)}


def test_a_linked_path_is_opened(bundle_dir, bundle_zip, tmp_path):
    for target in (bundle_dir, bundle_zip):
        link = tmp_path / f"latest-{target.name}"
        link.symlink_to(target)
        assert rt.read_bundle(link).manifest == rt.read_bundle(target).manifest


def test_engine_opens_both_transports_alike(bundle_dir, bundle_zip):
    one, other = rt.Engine.open(bundle_dir), rt.Engine.open(str(bundle_zip))
    assert one.recommend(["a", "d"]) == other.recommend(["a", "d"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"golden": rt.Golden()}, "record_golden"),
        ({"metrics": {"ndcg": float("nan")}}, "manifest.json"),
        ({"provenance": {"when": object()}}, "manifest.json"),
        ({"license": "\ud800"}, "manifest.json"),
        ({"provenance": {"log": "x" * (4 * 1024**2)}}, "limit is 4194304"),
    ],
)
def test_contents_that_cannot_be_written(contents, tmp_path, change, message):
    with pytest.raises(InputError, match=message):
        rt.write_bundle(tmp_path / "b", dataclasses.replace(contents, **change))
    assert list(tmp_path.iterdir()) == []


def test_contents_that_contradict_themselves(contents):
    smaller = dataclasses.replace(contents.model, items=4)
    other_rows = dataclasses.replace(contents.model, rows="float32")
    for change in ({"model": smaller}, {"model": other_rows}, {"tokenizer": None}):
        with pytest.raises(InputError):
            dataclasses.replace(contents, **change)
    query = dataclasses.replace(contents.golden.queries[0], history=("nope",))
    with pytest.raises(InputError, match="nope"):
        dataclasses.replace(contents, golden=rt.Golden((query,)))


def test_import_is_light():
    script = (
        "import sys, pocketrec_runtime; "
        "print(sorted({'onnxruntime', 'sentencepiece', 'torch', 'pandas', 'transformers'} "
        "& set(sys.modules)))"
    )
    runtime = Path(rt.__file__).parents[1]
    answer = subprocess.run(
        [sys.executable, "-c", script], env={"PYTHONPATH": str(runtime)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert answer.stdout == "[]\n"
