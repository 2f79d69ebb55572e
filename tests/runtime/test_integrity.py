"""A changed byte, anywhere, is refused before any parser sees it."""

import hashlib
import io
import json
import os
import zipfile
from contextlib import contextmanager
from pathlib import Path

import pytest

import pocketrec_runtime as rt
from pocketrec_runtime.errors import BundleFormatError, BundleIntegrityError

# A flipped byte of a zip's seal is a broken form, any other a broken promise.
ALTERED = (BundleFormatError, BundleIntegrityError)


@pytest.fixture
def parsed(monkeypatch):
    """What the JSON, zip, ONNX and SentencePiece parsers were given, in order."""
    import onnxruntime
    import sentencepiece

    calls: list[str] = []

    def spy(owner, name, kind):
        real = getattr(owner, name)

        def call(*args, **kwargs):
            calls.append(kind)
            return real(*args, **kwargs)

        monkeypatch.setattr(owner, name, call)

    spy(json, "JSONDecoder", "json")  # json.loads makes one too
    spy(zipfile, "ZipFile", "zip")
    spy(onnxruntime, "InferenceSession", "onnx")
    spy(sentencepiece, "SentencePieceProcessor", "sentencepiece")
    return calls


@contextmanager
def flipped(path: Path, at: int, bit: int):
    """Flips one bit of a file, in place and only for the block."""

    def flip():
        with path.open("r+b", buffering=0) as file:
            byte = os.pread(file.fileno(), 1, at)[0]
            os.pwrite(file.fileno(), bytes([byte ^ 1 << bit]), at)

    flip()
    yield
    flip()


def test_the_spies_see_a_good_bundle(bundle_dir, bundle_zip, parsed):
    rt.Engine.open(bundle_dir)
    assert parsed == ["json"] * 5 + ["onnx", "sentencepiece", "onnx"]
    parsed.clear()
    rt.Engine.open(bundle_zip)
    assert parsed[0] == "zip"


@pytest.mark.parametrize("name", ["manifest.json", "manifest.sha256"])
def test_every_byte_of_manifest_and_seal(bundle_dir, parsed, name):
    path = bundle_dir / name
    for at in range(path.stat().st_size):
        with flipped(path, at, at % 8), pytest.raises(BundleIntegrityError):
            rt.Engine.open(bundle_dir)
    assert parsed == []
    assert rt.Engine.open(bundle_dir)


def test_every_file_of_a_directory(bundle_dir, parsed):
    names = rt.read_bundle(bundle_dir).manifest.files
    assert len(names) == 11
    for name in names:
        path = bundle_dir / name
        last = path.stat().st_size - 1
        for at in sorted({0, last // 3, last // 2, last}):
            parsed.clear()
            with flipped(path, at, at % 8), pytest.raises(BundleIntegrityError, match=path.name):
                rt.Engine.open(bundle_dir)
            assert parsed == ["json"], name  # the manifest, whose seal holds


def test_bytes_of_a_zip(bundle_zip, parsed):
    size_bytes = bundle_zip.stat().st_size
    # Every byte of both seals and of the directory of members; a stride over the rest.
    places = [*range(0, size_bytes, 101), *range(size_bytes - 1200, size_bytes)]
    for at in places:
        with flipped(bundle_zip, at, at % 8), pytest.raises(ALTERED):
            rt.Engine.open(bundle_zip)
    assert parsed == []
    assert rt.Engine.open(bundle_zip)


def test_every_bit_of_one_byte(bundle_dir):
    for bit in range(8):
        tower = bundle_dir / "user_tower.onnx"
        with flipped(tower, 100, bit), pytest.raises(BundleIntegrityError):
            rt.verify_files(bundle_dir)


@pytest.mark.parametrize("keep", [0, 1, 80, 81, 1000, -1])
def test_truncated_zip(bundle_zip, parsed, keep):
    bundle_zip.write_bytes(bundle_zip.read_bytes()[:keep])
    with pytest.raises(ALTERED):
        rt.read_bundle(bundle_zip)
    assert parsed == []


def test_zip_with_bytes_added(bundle_zip, parsed):
    good = bundle_zip.read_bytes()
    for bad in (good + b"\0", b"\0" + good, good[:500] + b"x" + good[500:], good + good):
        bundle_zip.write_bytes(bad)
        with pytest.raises(ALTERED):
            rt.read_bundle(bundle_zip)
    assert parsed == []


def test_truncated_and_longer_files(bundle_dir):
    for name in rt.read_bundle(bundle_dir).manifest.files:
        path = bundle_dir / name
        good = path.read_bytes()
        for bad in (good[:-1], b"", good + b"\0"):
            path.write_bytes(bad)
            with pytest.raises(BundleIntegrityError, match=f"{path.name} has {len(bad)} bytes"):
                rt.read_bundle(bundle_dir)
        path.write_bytes(good)


def test_swapped_files_of_equal_length(bundle_dir):
    bias, popularity = bundle_dir / "catalogue/bias.f32", bundle_dir / "catalogue/popularity.f32"
    one, other = bias.read_bytes(), popularity.read_bytes()
    assert len(one) == len(other)
    bias.write_bytes(other)
    popularity.write_bytes(one)
    with pytest.raises(BundleIntegrityError):
        rt.read_bundle(bundle_dir)


def test_hashed_bytes_are_the_parsed_bytes(bundle_dir, monkeypatch):
    """A file that changes after it was hashed is not read a second time."""
    from pocketrec_runtime.bundle.source import DirectorySource

    reads: list[str] = []
    real = DirectorySource.read

    def read(self, name):
        reads.append(name)
        data = real(self, name)
        (bundle_dir / name).write_bytes(b"\0" * len(data))
        return data

    monkeypatch.setattr(DirectorySource, "read", read)
    assert rt.Engine.open(bundle_dir).recommend(["a"]).source == "device"
    assert len(reads) == len(set(reads)) == 13


def sealed_zip(path: Path, data: bytes) -> Path:
    """A file whose seal holds, whatever stands before it."""
    path.write_bytes(data + b"pocketrec-sha256:" + hashlib.sha256(data).hexdigest().encode())
    return path


def zipped(build) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        build(archive)
        archive.comment = bytes(81)
    return file.getvalue()[:-81]


@pytest.fixture
def write_all(bundle_zip):
    """Writes every member of a good bundle to a zip, some of them changed."""
    with zipfile.ZipFile(bundle_zip) as archive:
        members = {m.filename: archive.read(m) for m in archive.infolist()}

    def write(archive, compression=zipfile.ZIP_STORED, **change):
        for name, data in {**members, **change}.items():
            archive.writestr(name, data, compression)

    return write


def test_sealed_zip_of_other_members_is_read(write_all, tmp_path):
    assert rt.read_bundle(sealed_zip(tmp_path / "z", zipped(write_all)))


@pytest.mark.parametrize(
    "name",
    ["GOLDEN.JSON", "../escape.json", "/etc/passwd.d", "catalogue/", "other/ids.json", "a\\b.json"],
)
def test_sealed_zip_with_a_bad_name(write_all, tmp_path, name):
    data = zipped(lambda archive: write_all(archive, **{name: b"x"}))
    with pytest.raises(BundleFormatError, match="no bundle file name"):
        rt.read_bundle(sealed_zip(tmp_path / "z", data))


def test_sealed_zip_with_an_unlisted_member(write_all, tmp_path):
    data = zipped(lambda archive: write_all(archive, **{"extra.json": b"x"}))
    with pytest.raises(BundleFormatError, match="does not list"):
        rt.read_bundle(sealed_zip(tmp_path / "z", data))


def test_sealed_zip_with_compression(write_all, tmp_path):
    data = zipped(lambda archive: write_all(archive, compression=zipfile.ZIP_DEFLATED))
    with pytest.raises(BundleFormatError, match="compressed"):
        rt.read_bundle(sealed_zip(tmp_path / "z", data))


def test_sealed_zip_with_a_member_twice(write_all, tmp_path):
    def twice(archive):
        write_all(archive)
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("golden.json", b"{}")

    with pytest.raises(BundleFormatError, match="twice"):
        rt.read_bundle(sealed_zip(tmp_path / "z", zipped(twice)))


def test_sealed_zip_with_a_link(write_all, tmp_path):
    def link(archive):
        write_all(archive)
        member = zipfile.ZipInfo("link.json")
        member.external_attr = 0o120777 << 16
        archive.writestr(member, "golden.json")

    with pytest.raises(BundleFormatError, match="link"):
        rt.read_bundle(sealed_zip(tmp_path / "z", zipped(link)))


@pytest.mark.parametrize("flag", [0x1, 0x8, 0x40])
def test_sealed_zip_with_encryption_or_data_descriptors(write_all, tmp_path, flag):
    data = bytearray(zipped(write_all))
    data[data.index(b"PK\x01\x02") + 8] |= flag  # general purpose flags of the first member
    with pytest.raises(BundleFormatError, match="members are stored"):
        rt.read_bundle(sealed_zip(tmp_path / "z", bytes(data)))


def test_sealed_zip_whose_name_zipfile_would_cut(write_all, tmp_path):
    data = zipped(lambda archive: write_all(archive, **{"extra.jsonxy": b"x"}))
    with pytest.raises(BundleFormatError, match="no bundle file name"):
        rt.read_bundle(sealed_zip(tmp_path / "z", data.replace(b"jsonxy", b"json\0y")))


def test_sealed_zip_with_a_wrong_checksum(write_all, tmp_path):
    data = bytearray(zipped(write_all))
    at = data.index(b"three made-up users")
    data[at] ^= 1
    with pytest.raises(BundleFormatError, match=r"calibration\.json cannot be read"):
        rt.read_bundle(sealed_zip(tmp_path / "z", bytes(data)))


def test_sealed_zip_whose_members_overlap(tmp_path):
    """Many names for the same bytes promise more than the file holds."""

    def overlap(archive):
        archive.writestr("a.json", b"x" * 10_000)
        for number in range(20):
            member = zipfile.ZipInfo(f"a{number}.json")
            for name in ("CRC", "compress_size", "file_size", "header_offset"):
                setattr(member, name, getattr(archive.filelist[0], name))
            archive.filelist.append(member)

    with pytest.raises(BundleFormatError, match="larger together"):
        rt.read_bundle(sealed_zip(tmp_path / "z", zipped(overlap)))


@pytest.mark.parametrize("data", [b"", b"no zip at all" * 9])
def test_sealed_file_that_is_no_zip(tmp_path, data):
    with pytest.raises(BundleFormatError, match="no zip"):
        rt.read_bundle(sealed_zip(tmp_path / "z", data))


def test_huge_zip_is_not_read(tmp_path):
    with (tmp_path / "z.zip").open("wb") as file:
        file.truncate(5 * 1024**3)  # sparse
    with pytest.raises(BundleFormatError, match="limit is 4294967295"):
        rt.read_bundle(tmp_path / "z.zip")
