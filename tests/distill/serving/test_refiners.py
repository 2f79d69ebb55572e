"""Candidate teachers in a teacher folder: they say what they said in the run, or are refused."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pocketrec_distill.errors import ConfigError
from pocketrec_distill.models.trend import Biased
from pocketrec_distill.serving import (
    ServingSettings,
    TeacherContents,
    open_teacher,
    read_teacher,
    write_teacher,
)
from pocketrec_distill.serving.export import served_refiners
from pocketrec_distill.serving.refiners import logits_of, packed
from pocketrec_distill.teachers.catalogue import CatalogueTeacher
from pocketrec_distill.teachers.classifier import Classifier
from pocketrec_distill.teachers.refine import Refined, Refiner, Say
from pocketrec_distill.teachers.yes_no import YesNo
from pocketrec_runtime.errors import BundleFormatError, BundleIntegrityError, SelfTestError

from .conftest import CANDIDATES, ITEMS, SAYS, TEXTS
from .test_folder import resealed

HISTORIES = [[2], [3, 1, 0], [4, 2, 1, 3, 0, 4, 4], [1]]
FP32 = ServingSettings(precision="fp32", device="cpu")


@pytest.fixture(scope="module")
def chain(blend: Biased, classifier: Classifier, yes_no: YesNo) -> Refined:
    """The run's own: the classifier first, the causal LM about what then is best."""
    first = Refined(blend, Refiner(classifier, CANDIDATES, SAYS["classifier"]))
    return Refined(first, Refiner(yes_no, CANDIDATES, SAYS["yes_no"]))


def arrays(histories: list[list[int]]) -> list[np.ndarray]:
    return [np.array(history, np.int32) for history in histories]


def test_a_served_folder_scores_as_the_run_did(
    refined_folder: Path, chain: Refined, blend: Biased
) -> None:
    expected = chain.scores(arrays(HISTORIES))
    found = open_teacher(refined_folder, FP32).scores(HISTORIES)
    np.testing.assert_allclose(found, expected, atol=5e-4, rtol=5e-4)
    # Both have something to say, and one who waits for neither hears the blend.
    plain = blend.scores(arrays(HISTORIES))
    first = chain.base.scores(arrays(HISTORIES))
    assert min(np.abs(plain - first).max(), np.abs(first - expected).max()) > 0.05
    alone = open_teacher(refined_folder, replace(FP32, refine=False))
    np.testing.assert_allclose(alone.scores(HISTORIES), plain, atol=2e-4, rtol=2e-4)


def test_asking_again_costs_the_blend_alone(
    refined_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    ask = Classifier.candidate_logits

    def spy(self: Classifier, contexts: Any, candidates: Any) -> Any:
        asked.append(len(contexts))
        return ask(self, contexts, candidates)

    monkeypatch.setattr(Classifier, "candidate_logits", spy)
    teacher = open_teacher(refined_folder, FP32)
    asked.clear()
    first = teacher.scores(HISTORIES)
    np.testing.assert_allclose(teacher.scores(HISTORIES[::-1])[::-1], first, atol=1e-4, rtol=1e-4)
    assert asked == [len(HISTORIES)]
    forgetful = open_teacher(refined_folder, replace(FP32, reuse=False))
    asked.clear()
    for _ in range(2):
        forgetful.scores(HISTORIES[:1])
    assert asked == [1, 1]


def test_it_is_read_as_it_was_written(
    refined_folder: Path, refined_contents: TeacherContents, tmp_path: Path
) -> None:
    read, _ = read_teacher(refined_folder)
    assert (read.texts, len(read.refiners)) == (TEXTS, 2)
    for part, wrote in zip(read.refiners, refined_contents.refiners, strict=True):
        assert (part.kind, part.say, part.settings) == (wrote.kind, wrote.say, wrote.settings)
        assert dict(part.files) == dict(wrote.files)
        assert "model.safetensors" in part.files
        assert not {part.settings.path, part.settings.base} - {""}
    assert write_teacher(tmp_path / "again", read) == read_teacher(refined_folder)[1]


def test_who_is_not_believed_is_not_served(
    blend: Biased, classifier: Classifier, yes_no: YesNo
) -> None:
    table = CatalogueTeacher(blend, ITEMS)
    first = Refined(blend, Refiner(yes_no, CANDIDATES, Say(1.0, 0.5)))
    second = Refined(first, Refiner(table, CANDIDATES, Say(1.0, 3.0)))
    last = Refined(second, Refiner(classifier, CANDIDATES, Say(2.0, 0.0)))
    assert [teacher for _, teacher in served_refiners(last)] == [yes_no]
    believed = Refined(second, Refiner(classifier, CANDIDATES, Say(2.0, 0.1)))
    assert [teacher for _, teacher in served_refiners(believed)] == [yes_no, classifier]


def test_golden_scores_are_those_of_float32(classifier: Classifier) -> None:
    """Whatever the run computed in: a server with or without bfloat16 is held to the same."""
    question = [((3, 1, 0), (2, 4))]
    settings = replace(classifier.settings, precision="bf16")
    rough = Classifier(classifier.model, classifier.tokenizer, TEXTS, settings)
    golden, exact = (
        packed(teacher, CANDIDATES, Say(), TEXTS, question).golden[0].scores
        for teacher in (rough, classifier)
    )
    np.testing.assert_array_equal(golden, exact)
    assert not np.array_equal(logits_of(rough, *question[0]), exact)


def test_packing_leaves_the_runs_teacher_as_it_was(yes_no: YesNo) -> None:
    asked = np.array([[0, 1, 2]], np.int32)
    from pocketrec_distill.teachers import Context

    contexts = [Context(np.array([3, 4], np.int32))]
    before = yes_no.candidate_logits(contexts, asked)
    packed(yes_no, CANDIDATES, Say(), TEXTS, [])
    np.testing.assert_array_equal(yes_no.candidate_logits(contexts, asked), before)


def test_every_flipped_file_is_refused(refined_folder: Path) -> None:
    files = sorted(refined_folder.glob("classifier_*")) + sorted(refined_folder.glob("yes_no_*"))
    assert {"classifier_model.safetensors", "yes_no_tokenizer.json"} <= {p.name for p in files}
    for path in (*files, refined_folder / "catalogue" / "texts.json"):
        whole = path.read_bytes()
        path.write_bytes(whole[:-2] + bytes([whole[-2] ^ 1]) + whole[-1:])
        with pytest.raises(BundleIntegrityError):
            read_teacher(refined_folder)
        path.write_bytes(whole)
    read_teacher(refined_folder)


def changed(index: int, **values: object) -> Callable[[list[dict[str, Any]]], None]:
    return lambda refiners: refiners[index].update(values)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (changed(0, kind="oracle"), "refiner 'oracle' is not known"),
        (changed(1, kind="classifier"), "has no setting"),
        (changed(0, candidates=1), "asked about 1 candidates"),
        (changed(0, candidates=10**9), "candidates; give 2 to"),
        (changed(0, own=-1.0), "factor own of classifier is -1"),
        (changed(0, files=["../../etc/passwd"]), "does not list"),
        (changed(0, files=["..", "config.json"]), "does not list"),
        (changed(0, files=[1]), "files of classifier"),
        (changed(0, settings={"max_tokens": "many"}), "max_tokens is 'many'"),
        (changed(0, settings={"max_tokens": 3}), "max_tokens is 3"),
        (changed(1, settings={"prompt": "{0.__class__}"}), "prompt"),
        (lambda refiners: refiners.append(refiners[0]), "name each once"),
        (list.clear, "texts"),
    ],
)
def test_refiners_that_do_not_fit_are_refused(
    refined_folder: Path, change: Callable[[list[dict[str, Any]]], None], says: str
) -> None:
    refiners = json.loads((refined_folder / "manifest.json").read_bytes())["refiners"]
    change(refiners)
    if says == "texts":  # without refiners nobody reads texts: the folder is a plain one
        assert read_teacher(resealed(refined_folder, refiners=refiners))[0].texts == ()
        return
    with pytest.raises(BundleFormatError, match=says):
        read_teacher(resealed(refined_folder, refiners=refiners))


def test_a_name_that_leads_elsewhere_is_refused(refined_contents: TeacherContents) -> None:
    part = refined_contents.refiners[0]
    for name in ("../x", "/etc/passwd", "a\\b", "", ".hidden", "x" * 41):
        with pytest.raises(ConfigError, match="no plain name"):
            replace(part, files={name: b""})
    with pytest.raises(ConfigError, match="4 texts for 5 items"):
        replace(refined_contents, texts=TEXTS[:-1])


def test_texts_that_are_none_are_refused(refined_folder: Path) -> None:
    path = refined_folder / "catalogue" / "texts.json"
    for wrong, says in ((b"{}", "no list of texts"), (b"[1,2,3,4,5]", "no list of texts")):
        path.write_bytes(wrong)
        with pytest.raises(BundleFormatError, match=says):
            read_teacher(resealed(refined_folder))
    path.write_bytes(json.dumps(["a"] * (ITEMS + 1)).encode())
    with pytest.raises(BundleFormatError, match="6 texts for 5 items"):
        read_teacher(resealed(refined_folder))


def test_a_model_that_is_none_is_refused(refined_folder: Path) -> None:
    for name in ("classifier_model.safetensors", "yes_no_config.json"):
        path = refined_folder / name
        whole = path.read_bytes()
        path.write_bytes(b"\x00" * 64)
        with pytest.raises(BundleFormatError, match="cannot load"):
            open_teacher(resealed(refined_folder), FP32)
        path.write_bytes(whole)


def test_code_in_a_model_is_not_run(refined_folder: Path, tmp_path: Path) -> None:
    path, proof = refined_folder / "classifier_config.json", tmp_path / "proof"
    config = json.loads(path.read_bytes())
    code = f"open({str(proof)!r}, 'w').close()\n"
    config |= {"auto_map": {"AutoModelForSequenceClassification": "evil.Model"}}
    path.write_bytes(json.dumps(config).encode())
    (refined_folder / "classifier_evil.py").write_text(code, encoding="utf-8")
    refiners = json.loads((refined_folder / "manifest.json").read_bytes())["refiners"]
    refiners[0]["files"].append("evil.py")
    open_teacher(resealed(refined_folder, refiners=refiners), FP32)
    assert not proof.exists()


@pytest.mark.parametrize("kind", ["classifier", "yes_no"])
def test_another_answer_than_was_recorded_is_refused(refined_folder: Path, kind: str) -> None:
    path = refined_folder / f"{kind}_golden.json"
    golden = json.loads(path.read_bytes())
    golden[1]["scores"][0] += 0.5
    path.write_bytes(json.dumps(golden).encode())
    with pytest.raises(SelfTestError, match="a golden history is answered"):
        open_teacher(resealed(refined_folder), FP32)
    open_teacher(refined_folder, replace(FP32, refine=False))


def test_the_first_format_knows_no_refiners(refined_folder: Path) -> None:
    values = json.loads((refined_folder / "manifest.json").read_bytes())
    assert values["format_version"] == 4
    towers = {name: tower for name, tower in values["towers"].items() if name != "sasrec"}
    parts = [part for part in values["parts"] if part["name"] != "sasrec"]
    changes = {"towers": towers, "parts": parts, "refiners": None}
    read, _ = read_teacher(resealed(refined_folder, format_version=1, **changes))
    assert (len(read.parts), read.refiners, read.texts) == (4, (), ())
