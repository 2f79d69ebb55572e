"""A teacher folder is read as it was written, and refused where a byte is not what was sealed."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pocketrec_distill.errors import ConfigError
from pocketrec_distill.models.llama import TowerShape
from pocketrec_distill.models.student import Student
from pocketrec_distill.models.trend import Biased
from pocketrec_distill.serving import (
    ServingSettings,
    TeacherContents,
    open_teacher,
    read_teacher,
    write_teacher,
)
from pocketrec_distill.serving.export import tower_part
from pocketrec_distill.serving.folder import is_teacher
from pocketrec_runtime.bundle.manifest import entries_of, fingerprint, seal
from pocketrec_runtime.errors import (
    BundleFormatError,
    BundleIntegrityError,
    BundleNotFoundError,
    BundleVersionError,
    InputError,
)


def resealed(folder: Path, **changes: object) -> Path:
    """The folder with other values in its manifest, hashes and seal made anew."""
    blobs = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith("manifest.")
    }
    entries = entries_of(blobs)
    values = json.loads((folder / "manifest.json").read_bytes())
    files = {n: {"size_bytes": e.size_bytes, "sha256": e.sha256} for n, e in entries.items()}
    values |= {"files": files, "fingerprint": fingerprint(entries), **changes}
    data = json.dumps(values).encode()
    (folder / "manifest.json").write_bytes(data)
    (folder / "manifest.sha256").write_bytes(seal(data))
    return folder


def test_it_is_read_as_it_was_written(
    folder: Path, contents: TeacherContents, blend: Biased
) -> None:
    read, found = read_teacher(folder)
    assert (len(found), is_teacher(folder)) == (64, True)
    assert (read.parts, read.window, read.license) == (contents.parts, 4, "CC0")
    assert list(read.catalogue.ids) == ["a", "b", "ç", "d", "e"]
    assert list(read.catalogue.columns["title"]) == ["Ant", None, "Çay", "Dog", "Elk"]
    for name, tower in contents.towers.items():
        for key, tensor in tower.tensors.items():
            assert torch.equal(read.towers[name].tensors[key], tensor)
    teacher = open_teacher(folder, ServingSettings(precision="fp32"))
    histories = [[1, 4, 3], [2]]
    expected = blend.scores([np.array(h, np.int32) for h in histories])
    np.testing.assert_allclose(teacher.scores(histories), expected, atol=2e-4, rtol=2e-4)
    assert teacher.fingerprint == found


def test_equal_contents_give_equal_bytes(contents: TeacherContents, tmp_path: Path) -> None:
    assert write_teacher(tmp_path / "a", contents) == write_teacher(tmp_path / "b", contents)
    for path in (tmp_path / "a").rglob("*.*"):
        assert path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes()


def test_every_flipped_file_is_refused(folder: Path) -> None:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    assert len(files) == 11
    for path in files:
        whole = path.read_bytes()
        path.write_bytes(whole[:-2] + bytes([whole[-2] ^ 1]) + whole[-1:])
        with pytest.raises((BundleIntegrityError, BundleFormatError)):
            read_teacher(folder)
        path.write_bytes(whole)
    read_teacher(folder)


def test_cut_missing_and_added_files_are_refused(folder: Path) -> None:
    path = folder / "control.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(BundleIntegrityError, match=r"control\.safetensors has"):
        read_teacher(folder)
    path.unlink()
    with pytest.raises(BundleIntegrityError, match="missing files"):
        read_teacher(folder)
    path.write_bytes(whole)
    (folder / "more.bin").write_bytes(b"x")
    with pytest.raises(BundleFormatError, match="does not list"):
        read_teacher(folder)
    (folder / "more.bin").unlink()
    (folder / "link.bin").symlink_to(path)
    with pytest.raises(BundleFormatError, match="is a link"):
        read_teacher(folder)


@pytest.mark.parametrize(
    ("changes", "kind", "says"),
    [
        ({"format": "pocketrec-bundle"}, BundleFormatError, "format is"),
        ({"format_version": 5}, BundleVersionError, "teacher format 5"),
        ({"format_version": 0}, BundleVersionError, "teacher format 0"),
        ({"items": 0}, BundleFormatError, "items is 0"),
        ({"items": 6}, BundleFormatError, "manifest's 6 items"),
        ({"window": 0}, BundleFormatError, "window is 0"),
        ({"window": 10**9}, BundleFormatError, "window is"),
        ({"window": 5}, BundleFormatError, "sasrec knows 4 positions, not 5"),
        ({"parts": []}, BundleFormatError, "parts are"),
        ({"parts": [{"name": "teacher", "weight": -1.0, "floor": 0}]}, BundleFormatError, "weight"),
        ({"parts": [{"name": "oracle", "weight": 1.0, "floor": 0}]}, BundleFormatError, "oracle"),
        ({"towers": {}}, BundleFormatError, "need towers"),
        ({"towers": {"../x": {}}}, BundleFormatError, "does not list"),
        ({"linear": None}, BundleFormatError, "linear"),
        ({"linear": {"decay": 1.5}}, BundleFormatError, "linear model does not fit"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(
    folder: Path, changes: dict[str, object], kind: type[Exception], says: str
) -> None:
    with pytest.raises(kind, match=says):
        read_teacher(resealed(folder, **changes))


def test_wrong_tensors_are_refused(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = folder / "teacher.safetensors"
    tensors = load_file(path)
    for wrong in (
        {**tensors, "items": tensors["items"].double()},
        {**tensors, "norm.weight": tensors["norm.weight"][:-1].contiguous()},
        {**tensors, "more": torch.zeros(1)},
        {name: tensor for name, tensor in tensors.items() if name != "skip_gain"},
        {**tensors, "norm.weight": tensors["norm.weight"] * float("nan")},
    ):
        save_file(wrong, path)
        with pytest.raises(BundleFormatError, match="tensor"):
            read_teacher(resealed(folder))
    path.write_bytes(b"\xff" * 64)
    with pytest.raises(BundleFormatError, match="weights cannot be read"):
        read_teacher(resealed(folder))


def test_wrong_tensors_of_sasrec_are_refused(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = folder / "sasrec.safetensors"
    tensors = load_file(path)
    norm, bias = "blocks.1.norm2.weight", "blocks.0.self_attn.in_proj_bias"
    for wrong, says in (
        ({k: v for k, v in tensors.items() if k != "positions"}, "lacks its positions"),
        ({**tensors, "positions": tensors["positions"][0]}, "lacks its positions"),
        ({**tensors, "positions": tensors["positions"][:, 1:].contiguous()}, "'positions' is"),
        ({k: v for k, v in tensors.items() if k != bias}, f"the tensor '{bias}'"),
        ({**tensors, norm: tensors[norm].half()}, f"'{norm}' is torch.float16"),
    ):
        save_file(wrong, path)
        with pytest.raises(BundleFormatError, match=says):
            read_teacher(resealed(folder))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"family": "gru"}, "family 'gru' cannot be served"),
        ({"family": "llama"}, "lacks, or should not have"),
        ({"projected": 1}, "SASRec has no projections"),
        ({"inner_heads": 5, "inner_kv_heads": 1}, "as many key heads"),
    ],
)
def test_a_tower_that_is_no_sasrec_is_refused(
    folder: Path, changes: dict[str, object], says: str
) -> None:
    towers = json.loads((folder / "manifest.json").read_bytes())["towers"]
    towers["sasrec"] |= changes
    with pytest.raises(BundleFormatError, match=says):
        read_teacher(resealed(folder, towers=towers))


def test_towers_of_the_second_format_are_llamas(folder: Path, contents: TeacherContents) -> None:
    values = json.loads((folder / "manifest.json").read_bytes())
    towers = {name: tower for name, tower in values["towers"].items() if name != "sasrec"}
    for tower in towers.values():
        assert tower.pop("family") == "llama"
    parts = [part for part in values["parts"] if part["name"] != "sasrec"]
    (folder / "sasrec.safetensors").unlink()
    (folder / "catalogue" / "bias.f32").unlink()
    read, _ = read_teacher(resealed(folder, format_version=2, towers=towers, parts=parts))
    assert {name: tower.family for name, tower in read.towers.items()} == dict.fromkeys(
        ("teacher", "control"), "llama"
    )
    assert read.parts == tuple(part for part in contents.parts if part.name != "sasrec")
    assert not read.catalogue.bias.any(), "before the fourth there was no trend"


def test_only_a_teacher_is_replaced(contents: TeacherContents, tmp_path: Path) -> None:
    other = tmp_path / "photos"
    other.mkdir()
    (other / "cat.jpg").write_bytes(b"cat")
    with pytest.raises(InputError, match="something else than a teacher"):
        write_teacher(other, contents)
    assert (other / "cat.jpg").read_bytes() == b"cat"
    write_teacher(tmp_path / "t", contents)
    write_teacher(tmp_path / "t", contents)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos", "t"]
    with pytest.raises(BundleNotFoundError):
        read_teacher(tmp_path / "nothing")


def test_large_weights_lie_in_several_files(
    contents: TeacherContents, blend: Biased, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pocketrec_distill.serving.weights.PART_BYTES", 4000)
    write_teacher(tmp_path / "t", contents)
    names = {path.name for path in (tmp_path / "t").glob("teacher*.safetensors")}
    assert {"teacher.safetensors", "teacher_2.safetensors", "teacher_3.safetensors"} <= names
    teacher = open_teacher(tmp_path / "t", ServingSettings(precision="fp32"))
    expected = blend.scores([np.array([1, 4, 3], np.int32)])
    np.testing.assert_allclose(teacher.scores([[1, 4, 3]]), expected, atol=2e-4, rtol=2e-4)
    # A part that is lost is found out before anything is parsed.
    (tmp_path / "t" / "teacher_2.safetensors").unlink()
    with pytest.raises(BundleIntegrityError, match=r"missing files: teacher_2\.safetensors"):
        read_teacher(tmp_path / "t")
    with pytest.raises(BundleFormatError, match="lacks"):
        read_teacher(resealed(tmp_path / "t"))


def test_blocks_are_as_wide_inside_as_a_large_llms() -> None:
    """Llama 1B is 8,192 wide inside; item vectors are not."""
    part = tower_part(Student(2, TowerShape(4, 1, 1, 1, hidden=8192), None))
    assert part.shape.hidden == 8192
    for wrong in (
        replace(part.shape, hidden=65_537),
        replace(part.shape, width=65_538),
        replace(part.shape, blocks=129),
    ):
        with pytest.raises(ConfigError, match="larger than the format allows"):
            replace(part, shape=wrong)
    with pytest.raises(ConfigError, match="vectors 4096 wide"):
        replace(part, width=4097)
