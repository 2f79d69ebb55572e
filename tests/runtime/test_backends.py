"""Which backend a bundle opens with, on which devices, and what is said about it."""

import dataclasses

import numpy as np
import onnxruntime
import pytest

import pocketrec_runtime as rt
from pocketrec_distill.export import write_gguf
from pocketrec_runtime.errors import BundleFormatError, InputError, SelfTestError
from pocketrec_runtime.llama_weights import BlockWeights, LlamaWeights
from pocketrec_runtime.towers import RunSettings
from pocketrec_runtime.towers.providers import provider_names

NAMES = {"norm1": "attention_norm", "q": "query", "k": "key", "v": "value", "o": "output",
         "norm2": "feed_norm", "gate": "gate", "up": "up", "down": "down"}  # fmt: skip


@pytest.fixture(scope="session")
def tower_file(sizes, weights) -> bytes:
    """The tiny tower of these tests as GGUF: its skip from the last item adds to an identity."""
    blocks = tuple(
        BlockWeights(
            **{
                ours: np.ascontiguousarray(weights[f"{number}.{theirs}"].T)
                for theirs, ours in NAMES.items()
            }
        )
        for number in range(sizes.blocks)
    )
    return write_gguf(
        LlamaWeights(
            blocks,
            np.ones(sizes.width, np.float32),
            sizes.heads,
            sizes.kv_heads,
            sizes.head_dim,
        ),
        window=6,
        precision="F32",
    )


@pytest.fixture(scope="session")
def only_gguf(contents, shape, tower_file) -> rt.BundleContents:
    bare = dataclasses.replace(
        contents,
        model=dataclasses.replace(shape, user_tower="gguf"),
        user_tower=None,
        user_tower_gguf=tower_file,
    )
    return rt.record_golden(bare, [["a", "c"], ["é漢", "b", "b"]], k=3)


@pytest.fixture
def gguf_bundle(only_gguf, tmp_path):
    rt.write_bundle(tmp_path / "gguf", only_gguf)
    return tmp_path / "gguf"


def test_a_bundle_may_hold_gguf_alone(gguf_bundle):
    opened = rt.read_bundle(gguf_bundle)
    assert opened.manifest.format_version == "1.1"
    assert opened.manifest.model.user_tower == "gguf"
    assert "user_tower.onnx" not in opened.manifest.files
    assert opened.contents.user_tower is None
    for backend in ("auto", "numpy"):
        engine = rt.Engine.open(gguf_bundle, backend=backend)
        assert engine.backend.file == "user_tower.gguf"
        assert len(engine.recommend(["a"], 2).items) == 2


def test_without_gguf_the_version_stays(bundle_dir):
    assert rt.read_bundle(bundle_dir).manifest.format_version == "1.0"


def test_onnx_is_preferred_where_both_are_there(contents, tower_file, tmp_path):
    both = dataclasses.replace(contents, user_tower_gguf=tower_file)
    rt.write_bundle(tmp_path / "both", both)
    engine = rt.Engine.open(tmp_path / "both")
    assert engine.backend.file == "user_tower.onnx"
    assert engine.manifest.model.user_tower == "onnx"
    assert engine.manifest.format_version == "1.1"
    assert rt.read_bundle(tmp_path / "both").contents.user_tower_gguf == tower_file


def test_a_gguf_file_that_answers_otherwise_is_found(contents, tower_file, tmp_path):
    """The two files hold different towers here: the ONNX one adds the last item, without a norm."""
    rt.write_bundle(tmp_path / "both", dataclasses.replace(contents, user_tower_gguf=tower_file))
    rt.Engine.open(tmp_path / "both", backend="onnx")
    with pytest.raises(SelfTestError, match="golden query 0"):
        rt.Engine.open(tmp_path / "both", backend="numpy")


def test_rounded_weights_have_a_tolerance_of_their_own(contents, tower_file, tmp_path):
    both = dataclasses.replace(contents, user_tower_gguf=tower_file)
    recorded = rt.record_golden(both, [["a", "c"], ["é漢"]], k=3)
    gap = recorded.golden.gguf_tolerance
    assert gap is not None
    assert gap > 2 * recorded.golden.tolerance  # another tower, see above: far apart
    rt.write_bundle(tmp_path / "both", recorded)
    assert rt.read_bundle(tmp_path / "both").contents.golden.gguf_tolerance == gap
    rt.Engine.open(tmp_path / "both", backend="numpy")
    assert rt.record_golden(contents, [["a"]]).golden.gguf_tolerance is None


@pytest.mark.parametrize(
    ("change", "given"),
    [
        ({"user_tower": "onnx"}, {"user_tower": None}),
        ({"user_tower": "gguf"}, {"user_tower_gguf": None}),
        ({"user_tower": "gguf"}, {"user_tower": b"model", "user_tower_gguf": b"model"}),
    ],
)
def test_files_that_do_not_fit_the_model_are_refused(contents, shape, tower_file, change, given):
    files = {"user_tower_gguf": tower_file, "user_tower": contents.user_tower} | given
    with pytest.raises(InputError, match="user_tower"):
        dataclasses.replace(contents, model=dataclasses.replace(shape, **change), **files)


@pytest.mark.parametrize("backend", ["llama", "numpy"])
def test_a_backend_without_its_file_is_refused(bundle_dir, backend):
    with pytest.raises(InputError, match=r"needs user_tower\.gguf"):
        rt.Engine.open(bundle_dir, backend=backend)


def test_a_damaged_gguf_is_refused_once_it_is_used(only_gguf, tmp_path):
    broken = dataclasses.replace(only_gguf, user_tower_gguf=b"GGUF" + bytes(60))
    rt.write_bundle(tmp_path / "broken", broken)
    with pytest.raises(BundleFormatError, match=r"user_tower\.gguf"):
        rt.Engine.open(tmp_path / "broken", backend="numpy")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"backend": "tpu"}, "tpu"),
        ({"threads": 0}, "threads is 0"),
        ({"threads": 5000}, "threads is 5000"),
        ({"cache": "int4"}, "int4"),
        ({"gpu_layers": -2}, "gpu_layers"),
    ],
)
def test_bad_settings_are_refused(change, message):
    with pytest.raises(InputError, match=message):
        RunSettings(**change)


def test_providers_by_name():
    assert provider_names(["cpu"]) == ["CPUExecutionProvider"]
    assert provider_names(["CPUExecutionProvider", "CPU"]) == ["CPUExecutionProvider"]
    for bad in ([], "cpu", ["cuda9"], ["cpu", "nosuch"]):
        with pytest.raises(InputError, match="provider"):
            provider_names(bad)


def test_an_absent_provider_names_those_that_are_there(bundle_dir):
    absent = next(
        short
        for short, full in (
            ("coreml", "CoreMLExecutionProvider"),
            ("directml", "DmlExecutionProvider"),
        )
        if full not in onnxruntime.get_available_providers()
    )
    with pytest.raises(InputError, match=f"{absent!r} is not in .* it has .*cpu"):
        rt.Engine.open(bundle_dir, providers=[absent])


def test_a_provider_that_takes_nothing_is_not_called_used(bundle_dir):
    """Some builds have a second provider that runs no operator: asked for, and not used."""
    second = [p for p in onnxruntime.get_available_providers() if p == "AzureExecutionProvider"]
    engine = rt.Engine.open(bundle_dir, providers=["azure" if second else "cpu", "cpu"])
    account = engine.backend
    assert account.requested == ("azure" if second else "cpu", "cpu")
    assert account.used == ("cpu",)
    assert set(account.available) >= {"cpu"}
    if second:
        assert account.operators == {"cpu": sum(account.operators.values())}
        assert sum(account.operators.values()) > 20


def test_the_account_is_json(bundle_dir):
    found = rt.Engine.open(bundle_dir, threads=2).backend.as_dict()
    assert (found["backend"], found["threads"], found["file"]) == ("onnx", 2, "user_tower.onnx")
