"""LoRA, AdaLoRA, IA3 and prefix tuning over item vectors: each trains, and comes back equal."""

from pathlib import Path

import numpy as np
import peft
import pytest
import torch

from pocketrec_distill.errors import ConfigError, SourceError
from pocketrec_distill.llm import BaseLlm, load_base_llm
from pocketrec_distill.llm.adapters import ADAPTERS, Adapted, AdapterShape
from pocketrec_distill.models import SequenceScorer
from pocketrec_distill.models.teacher import Teacher, TeacherShape
from pocketrec_distill.training import TrainSettings, fit

ITEMS, WIDTH = 9, 12
HISTORIES = [np.array([3, 1, 8], np.int32), np.array([5], np.int32)]
# Item n is followed by item n + 1.
SEQUENCES = [np.array([n, n + 1, n + 2], np.int32) for n in range(7)] * 6
MARKS = {"lora": "lora_", "adalora": "lora_", "ia3": "ia3_", "prefix": "prompt_encoder"}


def made(llm: BaseLlm, kind: str, seed: int = 0, steps: int = 12) -> Teacher:
    torch.manual_seed(seed)
    states = np.random.default_rng(1).normal(size=(ITEMS, 7)).astype(np.float32)
    shape = TeacherShape(AdapterShape(kind, 3, steps), adapter_rate=1.0)
    return Teacher(llm, ITEMS, WIDTH, states, shape, dropout=0.0)


def scores(teacher: Teacher) -> np.ndarray:
    return SequenceScorer(teacher, window=5).scores(HISTORIES)


def train(teacher: Teacher, epochs: int = 2) -> list[float]:
    settings = TrainSettings(epochs=epochs, patience=99, batch=7, learning_rate=2e-2)
    curve = fit(teacher, SEQUENCES, lambda _model: float(epochs), settings)
    return [row.loss for row in curve]


@pytest.mark.parametrize("kind", ADAPTERS)
def test_the_adapter_and_nothing_else_of_the_llm_is_trained(llm: BaseLlm, kind: str) -> None:
    teacher = made(llm, kind)
    before = {name: value.clone() for name, value in teacher.llm.named_parameters()}
    losses = train(teacher)
    after = dict(teacher.llm.named_parameters())
    changed = {name for name in before if not torch.equal(after[name], before[name])}
    assert losses[-1] < losses[0]
    assert changed
    assert all(MARKS[kind] in name for name in changed)
    trainable = {name for name, p in teacher.llm.named_parameters() if p.requires_grad}
    # AdaLoRA takes ranks away where they bring least: a whole matrix may lose its singular values.
    values = {name for name in trainable if "lora_E" in name}
    assert changed >= {name for name in trainable - values if "ranknum" not in name}
    assert not values or changed & values


def test_ranks_are_counts_and_never_trained(llm: BaseLlm, monkeypatch: pytest.MonkeyPatch) -> None:
    """peft moves them to an accelerator as new parameters, which it leaves trainable."""
    plain = peft.get_peft_model

    def moved(backbone: object, config: object) -> object:
        model = plain(backbone, config)
        for name, parameter in model.named_parameters():
            if "ranknum" in name:
                parameter.requires_grad_()
        return model

    monkeypatch.setattr(peft, "get_peft_model", moved)
    ranks = [p for name, p in made(llm, "adalora").named_parameters() if "ranknum" in name]
    assert ranks
    assert not any(rank.requires_grad for rank in ranks)


@pytest.mark.parametrize("kind", ADAPTERS)
def test_what_was_trained_comes_back(
    llm_folder: Path, llm: BaseLlm, tmp_path: Path, kind: str
) -> None:
    teacher = made(llm, kind)
    train(teacher)
    teacher.save(tmp_path)
    other = made(load_base_llm(str(llm_folder), "fp32"), kind, seed=1)
    assert not np.allclose(scores(other), scores(teacher), atol=1e-3)
    other.load(tmp_path)
    np.testing.assert_allclose(scores(other), scores(teacher), atol=1e-6)
    # The adapter matters: without it the answer is another.
    with torch.no_grad():
        for name, parameter in teacher.llm.named_parameters():
            if MARKS[kind] in name:
                parameter.zero_()
    assert np.abs(scores(other) - scores(teacher)).max() > 1e-4
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.safetensors")}
    assert files == {"towers.safetensors", "adapter/adapter_model.safetensors"}


@pytest.mark.parametrize("kind", ADAPTERS)
def test_a_missing_or_foreign_tensor_is_refused(llm: BaseLlm, tmp_path: Path, kind: str) -> None:
    from safetensors.torch import load_file, save_file

    teacher = made(llm, kind)
    teacher.save(tmp_path)
    path = tmp_path / "adapter" / "adapter_model.safetensors"
    tensors = load_file(path)
    lost = sorted(tensors)[0]
    renamed = {f"x{n}" if n == lost else n: value for n, value in tensors.items()}
    save_file(renamed, path)
    with pytest.raises(SourceError, match="is missing or unknown"):
        teacher.load(tmp_path)


@pytest.mark.parametrize("kind", ADAPTERS)
@torch.inference_mode()
def test_batches_and_positions_do_not_mix(llm: BaseLlm, kind: str) -> None:
    """With a prefix too a position sees itself, its past and the prefix; never another row."""
    adapted = Adapted(llm.backbone, AdapterShape(kind, 3))
    adapted.model.eval()
    vectors = torch.randn(2, 4, 32)
    states = adapted.states(vectors)
    assert states.shape == (2, 4, 32)
    torch.testing.assert_close(adapted.states(vectors[1:]), states[1:], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(adapted.states(vectors[:, :2]), states[:, :2], atol=1e-5, rtol=1e-5)
    # Asking again gives the same: a prefix's cache does not grow from call to call.
    torch.testing.assert_close(adapted.states(vectors), states)


def test_a_prefix_is_seen_by_every_position(llm: BaseLlm) -> None:
    torch.manual_seed(3)
    adapted = Adapted(llm.backbone, AdapterShape("prefix", 3))
    adapted.model.eval()
    vectors = torch.randn(1, 4, 32)
    before = adapted.states(vectors)
    with torch.no_grad():
        adapted.model.prompt_encoder["default"].embedding.weight.add_(1.0)
    assert ((adapted.states(vectors) - before).abs().amax(dim=-1) > 1e-3).all()


def test_adalora_gives_ranks_up_and_keeps_its_factors_orthogonal(llm: BaseLlm) -> None:
    teacher = made(llm, "adalora", steps=12)
    start = float(teacher.penalty().detach())
    train(teacher)
    left = [(p != 0).sum().item() for n, p in teacher.llm.named_parameters() if "lora_E" in n]
    # Rank 3 on average over 14 layers, from 5 at the start.
    assert len(left) == 14
    assert sum(left) == 3 * 14
    assert teacher.adapted._step == 12
    assert start > 0


def test_lora_adds_nothing_to_the_loss(llm: BaseLlm) -> None:
    assert made(llm, "lora").penalty() == 0.0


def test_checkpointing_changes_no_gradient(llm_folder: Path) -> None:
    gradients = []
    for checkpointing in (False, True):
        torch.manual_seed(0)
        llm = load_base_llm(str(llm_folder), "fp32")
        adapted = Adapted(llm.backbone, AdapterShape("lora", 3, checkpointing=checkpointing))
        adapted.model.train()
        vectors = torch.randn(2, 4, 32, generator=torch.Generator().manual_seed(1))
        adapted.states(vectors.requires_grad_()).pow(2).sum().backward()
        gradients.append([p.grad for p in adapted.model.parameters() if p.requires_grad])
        assert llm.backbone.is_gradient_checkpointing is checkpointing
    assert any(g.abs().max() > 0 for g in gradients[0])
    for plain, again in zip(*gradients, strict=True):
        torch.testing.assert_close(again, plain, atol=1e-4, rtol=1e-4)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ConfigError, match="adapter is 'dora'; choose one of lora, adalora"):
        AdapterShape("dora")
    with pytest.raises(ConfigError, match="which checkpointing drops"):
        AdapterShape("prefix", checkpointing=True)
    with pytest.raises(ConfigError, match="rank is 0; give at least 1"):
        AdapterShape("lora", 0)
