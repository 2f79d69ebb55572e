"""Profiles: what is chosen, what is refused, and when a profile is taken up."""

import json
from pathlib import Path

import numpy as np
import pytest

from pocketrec_runtime import Engine, read_bundle
from pocketrec_runtime.errors import InputError
from pocketrec_runtime.towers import RunSettings
from pocketrec_runtime.tuning import (
    Profile,
    device_fingerprint,
    kendall_tau,
    load_profile,
    profile_path,
    save_profile,
    top_overlap,
)
from pocketrec_runtime.tuning.tune import Measured, TuneSettings, candidates, chosen, tune

RINGS = Path(__file__).parents[1] / "golden" / "v1_1" / "rings"


@pytest.fixture(autouse=True)
def cache_folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("POCKETREC_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def found() -> Profile:
    return tune(read_bundle(RINGS), TuneSettings(seconds=0.05))


def test_every_candidate_is_measured(found):
    asked = list(candidates(read_bundle(RINGS)))
    assert {"onnx", "llama", "numpy"} == {each.backend for each in asked}
    assert len(found.measured) == len(asked)
    chosen_ones = [each for each in found.measured if each["verdict"] == "chosen"]
    assert [each["settings"] for each in chosen_ones] == [found.settings.as_dict()]
    for each in found.measured:
        if each["verdict"] in ("chosen", "passed"):
            assert each["append_us"] > 0
            assert each["overlap"] >= 0.99


def test_a_candidate_that_ranks_otherwise_is_refused():
    profile = tune(read_bundle(RINGS), TuneSettings(seconds=0.01, min_overlap=1.0, min_tau=1.0))
    rounded = [each for each in profile.measured if each["precision"] == "Q8_0"]
    assert len(rounded) >= 3
    assert all(each["verdict"].startswith("refused: ranks otherwise") for each in rounded)
    assert profile.settings.backend == "onnx"


def measured(append_us, *, exact=True, threads=1):
    settings = RunSettings("onnx" if exact else "llama", threads=threads)
    return Measured(settings, "float32" if exact else "Q8_0", exact, append_us, 1.0, 1.0)


def verdicts(*timed):
    return {each.append_us: each.verdict for each in chosen(list(timed), 1.05)}


def test_rounded_and_slower_is_refused():
    assert verdicts(measured(100.0), measured(101.0, exact=False)) == {
        100.0: "chosen",
        101.0: "refused: rounded, and not faster",
    }


def test_rounded_and_hardly_faster_is_refused():
    assert verdicts(measured(100.0), measured(97.0, exact=False))[97.0].startswith("refused")


def test_rounded_and_clearly_faster_is_chosen():
    assert verdicts(measured(100.0), measured(60.0, exact=False)) == {
        60.0: "chosen",
        100.0: "passed",
    }


def test_more_threads_must_be_worth_it():
    assert verdicts(measured(100.0), measured(98.0, threads=2))[100.0] == "chosen"
    assert verdicts(measured(100.0), measured(70.0, threads=2))[70.0] == "chosen"


def test_open_takes_the_profile_up_where_nothing_else_was_asked_for(found):
    model = read_bundle(RINGS).manifest.fingerprint
    assert Engine.open(RINGS).backend.backend == "onnx"
    save_profile(Profile(model, found.device, RunSettings("numpy")), profile_path(model))
    assert Engine.open(RINGS).backend.backend == "numpy"
    assert Engine.open(RINGS, profile=None).backend.backend == "onnx"
    assert Engine.open(RINGS, threads=2).backend.backend == "onnx"


@pytest.mark.parametrize("change", [{"model": "0" * 64}, {"device": "0" * 64}])
def test_a_profile_of_another_model_or_device_is_not_used(tmp_path, change):
    model = read_bundle(RINGS).manifest.fingerprint
    fields = {"model": model, "device": device_fingerprint(), "settings": RunSettings("numpy")}
    save_profile(Profile(**fields | change), profile_path(model))
    assert Engine.open(RINGS).backend.backend == "onnx"
    save_profile(Profile(**fields | change), tmp_path / "p.json")
    with pytest.raises(InputError, match="was made for"):
        Engine.open(RINGS, profile=tmp_path / "p.json")


def test_a_damaged_cached_profile_does_not_keep_a_bundle_from_opening(tmp_path):
    model = read_bundle(RINGS).manifest.fingerprint
    path = tmp_path / "p.json"
    save_profile(Profile(model, device_fingerprint(), RunSettings("numpy")), path)
    data = path.read_bytes()
    kept = profile_path(model)
    kept.parent.mkdir(parents=True)
    for end in range(0, len(data) - 2, 7):
        kept.write_bytes(data[:end])
        with pytest.raises(InputError, match="pocketrec tune"):
            load_profile(kept)
    assert Engine.open(RINGS).backend.backend == "onnx"


@pytest.mark.parametrize(
    "change",
    [
        {"format": "pocketrec-profile/2"},
        {"settings": {}},
        {"model": 5},
        {"measured": {}},
        {"settings": {"backend": "tpu", "providers": ["cpu"], "threads": 1, "cache": "float32",
                      "gpu_layers": 0}},
        {"settings": {"backend": "onnx", "providers": ["cpu"], "threads": 10**6,
                      "cache": "float32", "gpu_layers": 0}},
    ],
)  # fmt: skip
def test_malformed_profiles_are_refused(tmp_path, change):
    path = tmp_path / "p.json"
    save_profile(Profile("0" * 64, "1" * 64, RunSettings()), path)
    assert load_profile(path).settings == RunSettings()
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InputError, match="no usable profile"):
        load_profile(path)


def test_a_missing_profile_is_an_error_where_it_was_named(tmp_path):
    with pytest.raises(InputError, match="no usable profile"):
        Engine.open(RINGS, profile=tmp_path / "nothing.json")


@pytest.mark.parametrize(
    "change", [{"seconds": 0}, {"seconds": 1e9}, {"min_overlap": 1.1}, {"margin": 0.9}]
)
def test_bad_tune_settings_are_refused(change):
    with pytest.raises(InputError):
        TuneSettings(**change)


def test_agreement_by_hand():
    assert top_overlap(np.array([3, 1, 2]), np.array([2, 9, 3])) == pytest.approx(2 / 3)
    # Of three pairs, one is turned round: (2 - 1) / 3.
    assert kendall_tau(np.array([3.0, 2.0, 1.0]), np.array([3.0, 1.0, 2.0])) == pytest.approx(1 / 3)
