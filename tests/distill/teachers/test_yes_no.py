"""The yes/no teacher: the prefix is computed once, and the answer is that of the whole prompt."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pocketrec_distill.errors import ConfigError, SourceError
from pocketrec_distill.teachers import Context
from pocketrec_distill.teachers.examples import Examples
from pocketrec_distill.teachers.pointwise_training import PairTraining, fit_pairs
from pocketrec_distill.teachers.yes_no import YesNo, answer_tokens

from .kinds import CONTEXTS, ITEMS, TEXTS, YesOrNo, yes_no_settings

EVERY_ITEM = np.tile(np.arange(ITEMS, dtype=np.int32), (len(CONTEXTS), 1))


@pytest.fixture
def teacher(folders: tuple[Path, Path, Path]) -> YesNo:
    return YesOrNo(*folders).made()


@torch.inference_mode()
def by_hand(teacher: YesNo, context: Context, item: int) -> float:
    """The whole prompt in one pass of the plain model, no cache."""
    ids = teacher.prefix_ids(context) + teacher.suffix_ids(item)
    logits = teacher.lm(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1]
    shares = torch.softmax(logits.double(), dim=-1)
    first = [teacher.tokenizer(word)["input_ids"][0] for word in ("Yes", "Sure", "No")]
    return float(torch.log(shares[first[0]] + shares[first[1]]) - torch.log(shares[first[2]]))


def test_the_shared_prefix_gives_the_logits_of_whole_prompts(teacher: YesNo) -> None:
    found = teacher.candidate_logits(CONTEXTS, EVERY_ITEM)
    expected = [[by_hand(teacher, c, item) for item in range(ITEMS)] for c in CONTEXTS]
    difference = np.abs(found - expected)
    assert difference.max() < 2e-5
    pairs = [c for c in CONTEXTS for _ in range(ITEMS)]
    with torch.inference_mode():
        whole = teacher.pair_logits(pairs, EVERY_ITEM.ravel()).numpy()
    np.testing.assert_allclose(whole, np.ravel(expected), atol=2e-5)


def test_the_prefix_is_computed_once_per_user(teacher: YesNo) -> None:
    computed = []
    embedding = teacher.lm.get_input_embeddings()
    hook = embedding.register_forward_hook(lambda _m, ids, _o: computed.append(ids[0].shape))
    teacher.candidate_logits(CONTEXTS, EVERY_ITEM)
    hook.remove()
    prefixes = [len(teacher.prefix_ids(context)) for context in CONTEXTS]
    longest = max(len(teacher.suffix_ids(item)) for item in range(ITEMS))
    # One pass over the prefix alone, one over all suffixes: nothing else was embedded.
    assert [tuple(shape) for shape in computed] == [
        shape for prefix in prefixes for shape in ((1, prefix), (ITEMS, longest))
    ]
    count = teacher.count
    assert (count.prefixes, count.prefix_tokens) == (3, sum(prefixes))
    assert (count.suffixes, count.reused_tokens) == (3 * ITEMS, ITEMS * sum(prefixes))


def test_batches_of_suffixes_leave_the_prefix_as_it_was(
    teacher: YesNo, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pocketrec_distill.teachers import yes_no

    whole = teacher.candidate_logits(CONTEXTS, EVERY_ITEM)
    monkeypatch.setattr(yes_no, "_BATCH", 2)
    np.testing.assert_allclose(teacher.candidate_logits(CONTEXTS, EVERY_ITEM), whole, atol=2e-5)
    assert teacher.count.prefixes == 6


def test_the_prompt_holds_the_newest_events_that_fit(llm_folder: Path) -> None:
    settings = replace(yes_no_settings(llm_folder), max_tokens=52)
    teacher = YesNo.untrained(TEXTS, settings, seed=3)
    text = teacher.tokenizer.decode(teacher.prefix_ids(CONTEXTS[1]))
    # Items 5 0 2 3 4 1: the newest stays, the oldest is cut.
    assert text.startswith("U:")
    assert text.endswith(f"e;\n{teacher.texts.texts[1]}>")
    assert teacher.texts.texts[5] not in text
    whole = YesNo.untrained(TEXTS, yes_no_settings(llm_folder), seed=3)
    assert teacher.texts.texts[5] in whole.tokenizer.decode(whole.prefix_ids(CONTEXTS[1]))
    assert (
        max(
            len(teacher.prefix_ids(context) + teacher.suffix_ids(item))
            for context in CONTEXTS
            for item in range(ITEMS)
        )
        <= 52
    )


def test_fresh_updates_answer_as_the_base(llm_folder: Path) -> None:
    fresh = YesNo.untrained(TEXTS, yes_no_settings(llm_folder), seed=3)
    found = fresh.candidate_logits(CONTEXTS, EVERY_ITEM)
    with fresh.lm.disable_adapter():
        base = fresh.candidate_logits(CONTEXTS, EVERY_ITEM)
    np.testing.assert_array_equal(found, base)


def test_words_that_begin_alike_tell_nothing(teacher: YesNo) -> None:
    tokenizer = teacher.tokenizer
    yes, no = answer_tokens(tokenizer, ["Yes", "Yup", " Yes"], ["No", " No"])
    # A space is a token of its own here: it begins answers of both kinds.
    assert yes.tolist() == tokenizer("Y")["input_ids"]
    assert no.tolist() == tokenizer("N")["input_ids"]
    with pytest.raises(ConfigError, match="begin with the same tokens"):
        answer_tokens(tokenizer, [" Yes"], [" No"])


def test_it_learns_whom_to_say_yes(llm_folder: Path) -> None:
    """After item 0 comes item 1, after item 2 item 3; each is a no for the other."""
    teacher = YesNo.untrained(TEXTS, yes_no_settings(llm_folder), seed=3)
    frozen = {n: p.clone() for n, p in teacher.lm.named_parameters() if not p.requires_grad}
    contexts = [Context(np.array([item], np.int32)) for item in (0, 0, 2, 2)]
    pairs = Examples(contexts, np.array([1, 3, 1, 3], np.int32), np.array([1, 0, 0, 1], np.float32))
    curve = fit_pairs(teacher, lambda _epoch: pairs, PairTraining(40, 4, 2e-2, seed=1))
    assert curve[0].loss > 0.5
    assert curve[-1].loss < 0.1
    logits = teacher.candidate_logits(contexts[::2], np.array([[1, 3], [1, 3]], np.int32))
    assert (logits * [[1, -1], [-1, 1]] > 1).all()
    assert all(torch.equal(dict(teacher.lm.named_parameters())[n], p) for n, p in frozen.items())


def test_checkpointing_changes_no_gradient(llm_folder: Path) -> None:
    gradients = []
    for checkpointing in (False, True):
        settings = replace(yes_no_settings(llm_folder), checkpointing=checkpointing)
        teacher = YesNo.untrained(TEXTS, settings, seed=3)
        teacher.set_training(True)
        teacher.pair_logits(CONTEXTS, np.array([1, 2, 3], np.int32)).sum().backward()
        gradients.append([p.grad.clone() for p in teacher.trainable()])
        assert teacher.lm.is_gradient_checkpointing is checkpointing
    assert any(g.abs().max() > 0 for g in gradients[0])
    for plain, again in zip(*gradients, strict=True):
        torch.testing.assert_close(again, plain, atol=1e-5, rtol=1e-4)


def test_an_adapter_that_is_not_there_or_does_not_fit_is_refused(
    llm_folder: Path, tmp_path: Path
) -> None:
    settings = yes_no_settings(llm_folder)
    with pytest.raises(
        SourceError, match=r"no adapter_model\.safetensors in .*, and no config\.json"
    ):
        YesNo.open(tmp_path, TEXTS, settings)
    YesNo.untrained(TEXTS, settings, seed=1).save(tmp_path)
    (tmp_path / "adapter_model.safetensors").write_bytes(b"\xff" * 40)
    with pytest.raises(SourceError, match="does not fit"):
        YesNo.open(tmp_path, TEXTS, settings)


def test_a_whole_model_says_what_base_and_adapter_say(
    teacher: YesNo, llm_folder: Path, tmp_path: Path
) -> None:
    """Merging changes rounding alone, needs no base any more, and leaves the teacher as it was."""
    expected = teacher.candidate_logits(CONTEXTS, EVERY_ITEM)
    teacher.save_whole(tmp_path)
    settings = replace(yes_no_settings(llm_folder), base="")
    whole = YesNo.open(tmp_path, TEXTS, settings)
    found = whole.candidate_logits(CONTEXTS, EVERY_ITEM)
    np.testing.assert_allclose(found, expected, atol=2e-5)
    np.testing.assert_array_equal(teacher.candidate_logits(CONTEXTS, EVERY_ITEM), expected)
    # A whole model is written as it is.
    whole.save_whole(tmp_path / "again")
    again = YesNo.open(tmp_path / "again", TEXTS, settings)
    np.testing.assert_array_equal(again.candidate_logits(CONTEXTS, EVERY_ITEM), found)


def test_an_adapter_that_cannot_be_merged_is_said_to_be_one(
    llm_folder: Path, tmp_path: Path
) -> None:
    from peft import PrefixTuningConfig, get_peft_model

    from pocketrec_distill.llm.base import load_causal_llm

    llm = load_causal_llm(str(llm_folder), "fp32")
    prefix = PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=2)
    teacher = YesNo(llm, get_peft_model(llm.lm, prefix), TEXTS, yes_no_settings(llm_folder))
    with pytest.raises(ConfigError, match="cannot be merged"):
        teacher.save_whole(tmp_path)
    assert not list(tmp_path.iterdir())
