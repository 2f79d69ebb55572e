"""The LLM teacher over a tiny Llama: what trains, what is saved, and its skip connection."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pocketrec_distill.errors import SourceError
from pocketrec_distill.llm import BaseLlm, load_base_llm
from pocketrec_distill.llm.adapters import AdapterShape
from pocketrec_distill.models import SequenceScorer, TowerShape
from pocketrec_distill.models.student import Student
from pocketrec_distill.models.teacher import Teacher, TeacherShape

ITEMS, WIDTH, STATE_WIDTH = 9, 12, 7
HISTORIES = [np.array([3, 1, 8], np.int32), np.array([5], np.int32)]


def states() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(ITEMS, STATE_WIDTH)).astype(np.float32)


def made(llm: BaseLlm, shape: TeacherShape | None = None, seed: int = 0) -> Teacher:
    torch.manual_seed(seed)
    return Teacher(
        llm, ITEMS, WIDTH, states(), shape or TeacherShape(AdapterShape(rank=3)), dropout=0.0
    )


def scores(teacher: Teacher) -> np.ndarray:
    return SequenceScorer(teacher, window=5).scores(HISTORIES)


def train_a_little(teacher: Teacher) -> None:
    """Three steps towards nonsense, so that every update is away from where it started."""
    optimiser = torch.optim.AdamW(teacher.parameter_groups(0.05, 0.01))
    for _ in range(3):
        table = teacher.item_vectors()
        users = teacher(table[torch.tensor([[0, 1, 2], [4, 4, 8]])])
        loss = (users @ table.T).pow(2).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def test_only_adapters_and_new_layers_train(llm: BaseLlm) -> None:
    teacher = made(llm)
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    train_a_little(teacher)
    changed = {n for n, value in teacher.state_dict().items() if not torch.equal(value, before[n])}
    new = {"skip_gain", "items.residual", "items.projection.weight", "enter.weight", "leave.weight"}
    adapters = {name for name in changed if "lora_" in name}
    assert changed - adapters == new
    # Seven linear layers in each of two blocks, two factors each.
    assert len(adapters) == 28
    assert {n for n, p in teacher.named_parameters() if p.requires_grad} == changed


def test_adapters_step_more_slowly(llm: BaseLlm) -> None:
    teacher = made(llm, TeacherShape(AdapterShape(rank=3), adapter_rate=0.25))
    adapters, rest = teacher.parameter_groups(0.4, 0.01)
    assert (adapters["lr"], rest["lr"]) == (0.1, 0.4)
    assert (len(adapters["params"]), len(rest["params"])) == (28, 5)
    assert all(group["weight_decay"] == 0.01 for group in (adapters, rest))


def test_starts_as_the_unchanged_llm_plus_the_last_item(llm_folder: Path, llm: BaseLlm) -> None:
    teacher = made(llm).eval()
    plain = load_base_llm(str(llm_folder), "fp32").backbone
    events = torch.randn(2, 4, WIDTH)
    scaled = events * WIDTH**0.5
    with torch.inference_mode():
        entered = scaled @ teacher.enter.weight.T
        entered = entered / (entered.pow(2).mean(dim=-1, keepdim=True) + 1e-6).sqrt()
        hidden = plain(inputs_embeds=entered).last_hidden_state
        expected = hidden @ teacher.leave.weight.T + 0.3 * scaled
        torch.testing.assert_close(teacher(events), expected, atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_is_causal(llm: BaseLlm) -> None:
    teacher = made(llm).eval()
    events = torch.randn(1, 5, WIDTH)
    other = events.clone()
    other[:, 3:] += torch.randn(1, 2, WIDTH)
    torch.testing.assert_close(teacher(events)[:, :3], teacher(other)[:, :3])
    # An older event reaches a later position through the LLM alone: the skip sees one event.
    other = events.clone()
    other[:, 0] += torch.randn(WIDTH)
    assert (teacher(events)[:, 4] - teacher(other)[:, 4]).abs().max() > 1e-3


def test_a_batch_with_padding_equals_one_by_one(llm: BaseLlm) -> None:
    scorer = SequenceScorer(made(llm), window=5)
    alone = np.concatenate([scorer.scores([history]) for history in HISTORIES])
    np.testing.assert_allclose(scorer.scores(HISTORIES), alone, atol=1e-5)


def test_save_and_load_give_equal_scores(llm_folder: Path, llm: BaseLlm, tmp_path: Path) -> None:
    teacher = made(llm)
    train_a_little(teacher)
    teacher.save(tmp_path)
    other = made(load_base_llm(str(llm_folder), "fp32"), seed=1)
    assert not np.allclose(scores(other), scores(teacher), atol=1e-3)
    other.load(tmp_path)
    np.testing.assert_array_equal(scores(other), scores(teacher))


def test_the_frozen_llm_is_not_saved(llm: BaseLlm, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    made(llm).save(tmp_path)
    names = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.safetensors")}
    assert names == {"towers.safetensors", "adapter/adapter_model.safetensors"}
    saved = {tensor for name in names for tensor in load_file(tmp_path / name)}
    new = {"skip_gain", "items.residual", "items.projection.weight", "enter.weight", "leave.weight"}
    assert {tensor for tensor in saved if "lora_" not in tensor} == new
    assert len(saved) == 28 + 5


@pytest.mark.parametrize("file", ["towers", "adapter/adapter_model"])
def test_a_missing_tensor_is_not_made_up(llm: BaseLlm, tmp_path: Path, file: str) -> None:
    from safetensors.torch import load_file, save_file

    teacher = made(llm)
    teacher.save(tmp_path)
    path = tmp_path / f"{file}.safetensors"
    tensors = load_file(path)
    lost = sorted(tensors)[2]
    save_file({name: value for name, value in tensors.items() if name != lost}, path)
    with pytest.raises(SourceError, match="is missing or unknown"):
        teacher.load(tmp_path)


@pytest.mark.parametrize(("limit", "kept"), [(0, 2), (1, 1), (2, 2), (9, 2)])
def test_blocks_beyond_the_limit_are_dropped(llm: BaseLlm, limit: int, kept: int) -> None:
    teacher = made(llm, TeacherShape(AdapterShape(rank=3), blocks=limit))
    assert len(teacher.llm.base_model.model.layers) == kept
    assert sum("lora_" in name for name, _ in teacher.named_parameters()) == 14 * kept
    assert np.isfinite(scores(teacher)).all()


def test_fewer_blocks_answer_with_the_first_block(llm_folder: Path, llm: BaseLlm) -> None:
    teacher = made(llm, TeacherShape(AdapterShape(rank=3), blocks=1)).eval()
    plain = load_base_llm(str(llm_folder), "fp32").backbone
    entered = torch.randn(1, 4, 32)
    with torch.inference_mode():
        first = plain(inputs_embeds=entered, output_hidden_states=True).hidden_states[1]
        found = teacher.llm(inputs_embeds=entered).last_hidden_state
        torch.testing.assert_close(found, plain.norm(first), atol=1e-5, rtol=1e-5)


def test_starts_from_item_vectors_that_another_model_learned(llm: BaseLlm) -> None:
    torch.manual_seed(3)
    shape = TowerShape(width=WIDTH, blocks=1, heads=1, kv_heads=1, hidden=8)
    control = Student(ITEMS, shape, states())
    teacher = made(llm)
    assert not torch.equal(teacher.item_vectors(), control.item_vectors())
    teacher.start_from(control.items.state_dict())
    assert torch.equal(teacher.item_vectors(), control.item_vectors())
    # A copy: training the teacher leaves the control as it was.
    before = control.item_vectors().clone()
    train_a_little(teacher)
    assert torch.equal(control.item_vectors(), before)
