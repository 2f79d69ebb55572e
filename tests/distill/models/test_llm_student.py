"""The LLM student: the teacher itself where all blocks are kept, and its cache and export."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from pocketrec_distill.errors import ConfigError
from pocketrec_distill.export import export_gguf, export_user_tower
from pocketrec_distill.llm import BaseLlm
from pocketrec_distill.llm.adapters import AdapterShape
from pocketrec_distill.llm.base import decoder_blocks
from pocketrec_distill.models import TowerShape
from pocketrec_distill.models.llm_student import LlmStudent, kept_blocks, prune_teacher
from pocketrec_distill.models.teacher import Teacher, TeacherShape
from pocketrec_distill.training import TrainSettings, fit
from pocketrec_distill.training.alignment import Alignment, group_ends
from pocketrec_runtime import ModelShape
from pocketrec_runtime.towers import NumpyUserTower, OnnxUserTower, RunSettings
from pocketrec_runtime.towers.llama_user import LlamaUserTower

ITEMS, WIDTH, WINDOW = 11, 12, 8
STATES = np.random.default_rng(0).normal(size=(ITEMS, 32)).astype(np.float32)


def trained(llm: BaseLlm) -> Teacher:
    """A teacher whose adapters do something; the LLM has 2 blocks, width 32, 2 heads over 1."""
    torch.manual_seed(3)
    teacher = Teacher(llm, ITEMS, WIDTH, STATES, TeacherShape(AdapterShape(rank=2)), dropout=0.0)
    for name, parameter in teacher.named_parameters():
        if parameter.requires_grad:
            std = 0.5 if "lora_B" in name else 0.3
            torch.nn.init.normal_(parameter, std=std)
    return teacher.eval()


@pytest.fixture
def teacher(llm: BaseLlm) -> Teacher:
    return trained(llm)


def pruned(teacher: Teacher, first: int, last: int) -> LlmStudent:
    return prune_teacher(teacher, STATES, first=first, last=last, dropout=0.0).eval()


def worst(a: torch.Tensor | np.ndarray, b: torch.Tensor | np.ndarray) -> float:
    return float(np.abs(np.asarray(a) - np.asarray(b)).max())


@torch.inference_mode()
def test_gguf_is_the_student_with_its_projections(teacher: Teacher) -> None:
    student = pruned(teacher, 1, 1)
    shape = ModelShape(
        width=WIDTH, blocks=2, heads=2, kv_heads=1, head_dim=16, window=WINDOW, items=ITEMS,
        rows="float32",
    )  # fmt: skip
    data = export_gguf(student, WINDOW, "F32")
    events = torch.randn(2, 5, WIDTH)
    expected = student(events)[:, -1]
    for tower in (NumpyUserTower(data, shape), LlamaUserTower(data, shape, RunSettings())):
        _, cache = tower.run(events[:, :3].numpy())
        assert worst(tower.run(events[:, 3:].numpy(), cache)[0], expected) < 1e-4


@torch.inference_mode()
def test_with_every_block_it_is_the_teacher(teacher: Teacher) -> None:
    student = pruned(teacher, 1, 1)
    events = torch.randn(2, 5, WIDTH)
    assert worst(student(events), teacher(events)) < 1e-4
    assert torch.equal(student.item_vectors(), teacher.item_vectors())
    # The adapters matter: without them the answer is another one.
    with teacher.llm.disable_adapter():
        assert worst(student(events), teacher(events)) > 1e-2


@torch.inference_mode()
@pytest.mark.parametrize(("first", "last", "number"), [(1, 0, 0), (0, 1, 1)])
def test_the_kept_block_is_the_one_asked_for(
    teacher: Teacher, first: int, last: int, number: int
) -> None:
    student = pruned(teacher, first, last)
    both = pruned(teacher, 1, 1)
    assert len(student.blocks) == 1
    for name, value in student.blocks[0].state_dict().items():
        assert torch.equal(value, both.blocks[number].state_dict()[name]), name


def test_kept_blocks_by_hand() -> None:
    assert kept_blocks(12, 2, 2) == [0, 1, 10, 11]
    assert kept_blocks(3, 1, 2) == [0, 1, 2]
    for first, last in ((0, 0), (2, 2)):
        with pytest.raises(ConfigError, match=f"{first} first and {last} last blocks"):
            kept_blocks(3, first, last)


@torch.inference_mode()
def test_step_by_step_equals_forward(teacher: Teacher) -> None:
    student = pruned(teacher, 1, 1)
    events = torch.randn(2, 7, WIDTH)
    whole = student(events)
    empty = torch.zeros(2, 1, 0, 16)
    cache, at = [(empty, empty)] * 2, 0
    for length in (3, 1, 2, 1):
        user, cache = student.step(events[:, at : at + length], cache)
        at += length
        assert worst(user, whole[:, at - 1]) < 1e-5


def test_the_teacher_stays_as_it_was(teacher: Teacher) -> None:
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    student = pruned(teacher, 1, 1)
    with torch.no_grad():
        for parameter in student.parameters():
            parameter.add_(1.0)
    for name, value in teacher.state_dict().items():
        assert torch.equal(value, before[name]), name


@torch.inference_mode()
def test_the_exported_tower_equals_pytorch_and_its_cache_is_exact(
    teacher: Teacher, shape_of: Callable[..., ModelShape]
) -> None:
    student = pruned(teacher, 1, 1)
    with torch.no_grad():
        # Bases and norms away from the usual ones, so that one left out shows.
        student.rope_theta, student.norm.eps = 500.0, 1e-3
        student.norm.weight.uniform_(0.5, 1.5)
    tower = OnnxUserTower(export_user_tower(student), shape_of(student, WINDOW))
    events = torch.randn(2, 6, WIDTH)
    whole = student(events)
    found, _ = tower.run(events.numpy())
    assert worst(found, whole[:, -1]) < 1e-5
    past, at = None, 0
    for length in (1, 3, 2):
        found, past = tower.run(events[:, at : at + length].numpy(), past)
        at += length
        assert worst(found, whole[:, at - 1]) < 1e-5


def test_a_bundle_whose_tower_is_wider_than_its_items_ranks_as_pytorch_does(
    teacher: Teacher, check_ranks_as_pytorch: Callable[..., None]
) -> None:
    student = pruned(teacher, 1, 1)
    check_ranks_as_pytorch(student, export_user_tower(student), WINDOW)


def test_groups_of_blocks_by_hand() -> None:
    assert group_ends(12, 4) == [2, 5, 8, 11]
    assert group_ends(4, 4) == [0, 1, 2, 3]
    assert group_ends(3, 2) == [1, 2]


def test_a_student_with_every_block_is_aligned_already(teacher: Teacher) -> None:
    student = pruned(teacher, 1, 1)
    items = torch.tensor([[1, 5, 3], [2, 7, -1]])
    events = student.item_vectors()[items.clamp_min(0)]
    _, states = student.with_states(events)
    alignment = Alignment(teacher, 2.0)
    assert float(alignment(states, items).detach()) < 1e-5
    # States at padding are nobody's: they may be anything.
    states[1][1, 2] = 1e6
    assert float(alignment(states, items).detach()) < 1e-5
    states[0] = -states[0]
    # One of two groups points backwards: cosine -1, so a distance of 2 there, and its length.
    assert float(alignment(states, items).detach()) > 2.0 * (2.0 / 2)


def test_alignment_pulls_the_states_to_the_teachers(teacher: Teacher) -> None:
    student = pruned(teacher, 1, 0)
    student.alignment, student.kept_rate = Alignment(teacher, 100.0), 1.0
    rng = np.random.default_rng(1)
    sequences = [rng.integers(0, ITEMS, 5).astype(np.int32) for _ in range(16)]
    items = torch.from_numpy(np.stack(sequences)[:, :-1].astype(np.int64))

    def distance() -> float:
        with torch.no_grad():
            _, states = student.with_states(student.item_vectors()[items])
            return float(student.alignment(states, items))

    before, steps = distance(), iter(range(1, 99))
    settings = TrainSettings(epochs=60, patience=60, learning_rate=3e-3, batch=8)
    frozen = {name: value.clone() for name, value in teacher.state_dict().items()}
    curve = fit(student, sequences, lambda _: float(next(steps)), settings)
    assert distance() < 0.5 * before
    assert curve[-1].loss < curve[0].loss
    assert all(torch.equal(value, frozen[name]) for name, value in teacher.state_dict().items())


def test_kept_blocks_step_slowly() -> None:
    student = LlmStudent(
        ITEMS, WIDTH, TowerShape(16, 1, 2, 1, 24), STATES, kept_rate=0.25
    )  # fmt: skip
    groups = student.parameter_groups(0.4, 0.02)
    assert [(group["lr"], group["weight_decay"]) for group in groups] == [
        (0.1, 0.02),
        (0.1, 0.0),
        (0.4, 0.02),
        (0.4, 0.0),
    ]
    counted = [len(group["params"]) for group in groups]
    # 7 matrices and 3 norms; table, projection, enter and leave; the gain of the skip.
    assert counted == [7, 3, 4, 1]
    assert sum(counted) == len(list(student.parameters()))


def test_save_and_load_give_equal_vectors(teacher: Teacher, tmp_path: Path) -> None:
    saved, loaded = pruned(teacher, 1, 1), pruned(teacher, 1, 1)
    with torch.no_grad():
        for parameter in saved.parameters():
            parameter.add_(0.01)
    events = torch.randn(1, 4, WIDTH)
    assert not torch.equal(saved(events), loaded(events))
    saved.save(tmp_path)
    loaded.load(tmp_path)
    assert torch.equal(saved(events), loaded(events))


def test_adapters_that_cannot_merge_are_refused(teacher: Teacher) -> None:
    class Prefixed(torch.nn.Module):
        peft_config = ("prefix",)

    teacher.llm = Prefixed()
    with pytest.raises(ConfigError, match="prefix or prompt tuning"):
        prune_teacher(teacher, STATES, first=1, last=1)


@pytest.mark.parametrize(
    ("setting", "value"), [("hidden_act", "gelu"), ("rope_scaling", {"rope_type": "yarn"})]
)
def test_blocks_that_are_no_llama_are_refused(
    teacher: Teacher, setting: str, value: object
) -> None:
    setattr(teacher.llm.base_model.model.config, setting, value)
    with pytest.raises(ConfigError, match="no plain Llama blocks"):
        prune_teacher(teacher, STATES, first=1, last=1)


def test_biases_are_refused(teacher: Teacher) -> None:
    block = decoder_blocks(teacher.llm)[0]
    block.self_attn.q_proj.base_layer.bias = torch.nn.Parameter(torch.zeros(32))
    with pytest.raises(ConfigError, match="no plain Llama blocks"):
        prune_teacher(teacher, STATES, first=1, last=1)
