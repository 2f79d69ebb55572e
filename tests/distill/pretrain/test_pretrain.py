"""Continued pretraining: the losses by hand, what a batch holds, and what training changes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pocketrec_distill.errors import ConfigError, DataError, SourceError
from pocketrec_distill.llm import load_base_llm, pooled_states
from pocketrec_distill.llm.base import load_causal_llm
from pocketrec_distill.llm.states import pooled
from pocketrec_distill.pretrain import PretrainSettings, load_pretrained, pretrain
from pocketrec_distill.pretrain.examples import HISTORY_HEAD, co_consumed, text_batch
from pocketrec_distill.pretrain.losses import info_nce, next_token_loss

TEXTS = ("a star", "the red alert", "wars", "an odd one")
# Items 0 and 1 go together, and so do 2 and 3.
HISTORIES = [np.array(h, np.int32) for h in ([0, 1, 0, 1], [1, 0], [2, 3], [3, 2, 3])]
SETTINGS = PretrainSettings(enabled=True, steps=30, batch=6, rank=4, learning_rate=1e-2)


def test_next_token_loss_by_hand() -> None:
    logits = torch.zeros(2, 3, 4)
    logits[0, 0, 2] = np.log(5)  # says token 2 with 5/8, rightly
    logits[1, 0, 3] = np.log(5)  # says token 3 with 5/8, wrongly
    ids = torch.tensor([[1, 2, 0], [1, 1, 3]])
    mask = torch.tensor([[1, 1, 0], [1, 1, 1]])
    # Three tokens are asked for: 5/8, 1/8, and 1/4; the padded one is not.
    expected = -np.mean(np.log([5 / 8, 1 / 8, 1 / 4]))
    assert float(next_token_loss(logits, ids, mask)) == pytest.approx(expected, rel=1e-5)


def test_info_nce_by_hand() -> None:
    first = torch.tensor([[3.0, 0.0], [0.0, 2.0]])
    second = torch.tensor([[1.0, 0.0], [5.0, 5.0]])
    pairs = torch.tensor([[0, 1], [2, 3]])
    near = np.sqrt(0.5)
    # Cosines: own 1 and .707; crossed .707 (0 with 3) and 0 (2 with 1). Temperature 0.5 doubles.
    rows = np.log(np.exp(2) + np.exp(2 * near)) - 2, np.log(np.exp(0) + np.exp(2 * near)) - 2 * near
    back = np.log(np.exp(2) + np.exp(0)) - 2, np.log(np.exp(2 * near) * 2) - 2 * near
    expected = (np.mean(rows) + np.mean(back)) / 2
    assert float(info_nce(first, second, pairs, 0.5)) == pytest.approx(expected, rel=1e-5)


def test_the_same_item_is_no_negative_of_itself() -> None:
    torch.manual_seed(1)
    first, second = torch.randn(2, 3, 5)
    alone = float(info_nce(first[:1], second[:1], torch.tensor([[0, 1]]), 0.1))
    assert alone == 0
    # Pairs (0, 1), (2, 1): the second's right side is the first's own item, either way round.
    shared = torch.tensor([[0, 1], [2, 1]])
    second[1] = second[0]
    found = info_nce(first[:2], second[:2], shared, 1.0)
    cosines = torch.nn.functional.cosine_similarity(first[:2, None], second[None, :2], dim=-1)
    # Going forward nothing is left to tell apart; going back, lefts 0 and 2 are each a negative.
    backward = torch.nn.functional.cross_entropy(cosines.T, torch.arange(2))
    assert float(found) == pytest.approx(float(backward) / 2, rel=1e-5)
    repeated = torch.tensor([[0, 1], [0, 1]])
    first[1] = first[0]
    assert float(info_nce(first[:2], second[:2], repeated, 1.0)) == pytest.approx(0, abs=1e-6)


def test_pairs_of_one_user_within_the_distance() -> None:
    histories = [np.array([4, 7, 7, 9], np.int32), np.array([1], np.int32)]
    assert sorted(map(tuple, co_consumed(histories, 1).tolist())) == [(4, 7), (7, 9)]
    wide = sorted(map(tuple, co_consumed(histories, 3).tolist()))
    assert wide == [(4, 7), (4, 7), (4, 9), (7, 9), (7, 9)]
    with pytest.raises(DataError, match="no user chose two different items"):
        co_consumed([np.array([3, 3], np.int32)], 2)


def test_half_of_the_texts_are_items_half_are_histories_in_words() -> None:
    rng = np.random.default_rng(0)
    batch = text_batch(TEXTS, HISTORIES, 8, 3, rng)
    assert all(text in TEXTS for text in batch[:4])
    told = [text.removeprefix(HISTORY_HEAD).split("\n") for text in batch[4:]]
    assert all(text.startswith(HISTORY_HEAD) for text in batch[4:])
    assert all(2 <= len(items) <= 3 for items in told)
    stretches = {
        ("a star", "the red alert", "a star"),
        ("the red alert", "a star", "the red alert"),
    }
    seen = {tuple(t) for t in told}
    assert seen <= stretches | {
        ("the red alert", "a star"),
        ("wars", "an odd one"),
        ("an odd one", "wars", "an odd one"),
    }


def test_pooled_states_are_what_item_states_are(llm_folder: Path, tmp_path: Path) -> None:
    llm = load_base_llm(str(llm_folder), "fp32")
    kept = pooled_states(llm, TEXTS, layer=1, max_tokens=16, cache=tmp_path / "s.sqlite")
    found = pooled(llm, TEXTS, 1, 16)
    np.testing.assert_allclose(found.detach().numpy(), kept, atol=1e-6)


def cosines(llm, layer: int = 1) -> np.ndarray:
    with torch.inference_mode():
        rows = torch.nn.functional.normalize(pooled(llm, TEXTS, layer, 16), dim=1)
    return (rows @ rows.T).numpy()


def test_behaviour_draws_together_what_is_chosen_together(llm_folder: Path, tmp_path: Path) -> None:
    settings = replace(SETTINGS, text_weight=0.0)
    curve = run(llm_folder, tmp_path, settings)
    assert [row.step for row in curve] == list(range(1, 31))
    assert all(row.text == 0 for row in curve)
    assert np.mean([row.behaviour for row in curve[-5:]]) < 0.5 * curve[0].behaviour
    after = cosines(load_pretrained(str(llm_folder), "fp32", tmp_path))
    before = cosines(load_base_llm(str(llm_folder), "fp32"))

    def gap(c: np.ndarray) -> float:
        return float(c[0, 1] + c[2, 3] - c[0, 2] - c[1, 3])

    assert gap(after) > gap(before) + 0.5


def test_text_becomes_likelier(llm_folder: Path, tmp_path: Path) -> None:
    curve = run(llm_folder, tmp_path, replace(SETTINGS, behaviour_weight=0.0))
    assert all(row.behaviour == 0 for row in curve)
    assert np.mean([row.text for row in curve[-5:]]) < 0.8 * curve[0].text
    llm = load_pretrained(str(llm_folder), "fp32", tmp_path)
    plain = load_base_llm(str(llm_folder), "fp32")
    assert llm.fingerprint != plain.fingerprint
    assert not any(p.requires_grad for p in llm.backbone.parameters())
    assert not any("lora" in name for name, _ in llm.backbone.named_parameters())


def run(llm_folder: Path, folder: Path, settings: PretrainSettings):
    llm = load_causal_llm(str(llm_folder), "fp32")
    return pretrain(llm, TEXTS, HISTORIES, settings, layer=1, max_tokens=16, seed=0, folder=folder)


def test_merged_updates_answer_as_unmerged_ones(llm_folder: Path, tmp_path: Path) -> None:
    from peft import PeftModel

    run(llm_folder, tmp_path, replace(SETTINGS, steps=3))
    merged = load_pretrained(str(llm_folder), "fp32", tmp_path).backbone
    base = load_causal_llm(str(llm_folder), "fp32").lm
    apart = PeftModel.from_pretrained(base, str(tmp_path)).eval()
    ids = torch.tensor([[5, 9, 2, 7]])
    with torch.inference_mode():
        expected = apart.get_base_model().model(ids).last_hidden_state
        torch.testing.assert_close(merged(ids).last_hidden_state, expected, atol=1e-5, rtol=1e-5)


def test_checkpointing_learns_the_same(llm_folder: Path, tmp_path: Path) -> None:
    curves = []
    for checkpointing in (False, True):
        folder = tmp_path / str(checkpointing)
        settings = replace(SETTINGS, steps=3, checkpointing=checkpointing)
        curves.append([(r.text, r.behaviour) for r in run(llm_folder, folder, settings)])
    np.testing.assert_allclose(curves[1], curves[0], rtol=1e-4)


def test_updates_of_another_model_are_refused(llm_folder: Path, tmp_path: Path) -> None:
    run(llm_folder, tmp_path, replace(SETTINGS, steps=1))
    (tmp_path / "adapter_model.safetensors").write_bytes(b"\xff" * 40)
    with pytest.raises(SourceError, match="do not fit"):
        load_pretrained(str(llm_folder), "fp32", tmp_path)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"steps": 0}, "steps is 0"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"text_weight": -1.0}, "text_weight is -1.0"),
        ({"text_weight": 0.0, "behaviour_weight": 0.0}, "both 0; nothing would be learned"),
        ({"batch": 1}, "batch is 1; a pair is told from others"),
        ({"history": 1}, "history is 1"),
    ],
)
def test_settings_that_learn_nothing_are_refused(changed: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        PretrainSettings(**changed)
