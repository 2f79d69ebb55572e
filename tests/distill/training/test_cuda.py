"""On a CUDA device models learn as on the CPU, but for rounding."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pocketrec_distill.llm import load_base_llm, pooled_states
from pocketrec_distill.llm.adapters import AdapterShape
from pocketrec_distill.models.base import Floats, History, SequenceModel, SequenceScorer
from pocketrec_distill.models.llama import TowerShape
from pocketrec_distill.models.llm_student import LlmStudent, prune_teacher
from pocketrec_distill.models.sasrec import SasRec
from pocketrec_distill.models.student import Student
from pocketrec_distill.models.teacher import Teacher, TeacherShape
from pocketrec_distill.placement import CPU
from pocketrec_distill.training import TrainSettings, fit, label, open_labels, whole_catalogue
from pocketrec_distill.training.alignment import Alignment
from pocketrec_distill.training.fake_quant import quantized
from pocketrec_distill.training.objective import Labels
from pocketrec_distill.training.parallel import current_group, data_parallel
from pocketrec_distill.training.settings import LOSSES

pytestmark = pytest.mark.cuda

CUDA = torch.device("cuda", 0)
ITEMS, WIDTH, WINDOW = 40, 16, 12
RNG = np.random.default_rng(2)
SEQUENCES = [RNG.integers(0, ITEMS, n).astype(np.int32) for n in RNG.integers(2, WINDOW, 30)]
STATES = RNG.normal(size=(ITEMS, 7)).astype(np.float32)
SETTINGS = TrainSettings(epochs=3, patience=9, batch=8, learning_rate=5e-3, average=0.9, seed=5)


class Ring:
    """A teacher that likes the items that follow."""

    def scores(self, histories: list[History]) -> Floats:
        return self.position_scores(histories, 1)

    def position_scores(self, sequences: list[History], newest: int) -> Floats:
        ends = np.concatenate([s[max(0, len(s) - newest) :] for s in sequences])
        distance = (np.arange(ITEMS)[None, :] - ends[:, None]) % ITEMS
        return (6 / (1 + distance)).astype(np.float32)


def student() -> Student:
    torch.manual_seed(1)
    return Student(ITEMS, TowerShape(WIDTH, 2, 2, 1, 24), STATES, dropout=0.0)


def sasrec() -> SasRec:
    torch.manual_seed(1)
    return SasRec(ITEMS, WIDTH, 1, 2, WINDOW, dropout=0.0)


def trained(
    model: SequenceModel,
    device: torch.device,
    settings: TrainSettings = SETTINGS,
    labels: Labels | None = None,
) -> tuple[list[float], Floats]:
    """Losses of a training, and scores after it."""
    model.to(device)
    curve = fit(model, SEQUENCES, lambda _m: 0.0, settings, labels=labels, group=current_group())
    assert model.device == device
    scores = SequenceScorer(model, WINDOW).position_scores(SEQUENCES, 3)
    return [epoch.loss for epoch in curve], scores


def assert_alike(make: Callable[[], SequenceModel], **how: object) -> None:
    losses, scores = trained(make(), CPU, **how)
    cuda_losses, cuda_scores = trained(make(), CUDA, **how)
    np.testing.assert_allclose(cuda_losses, losses, rtol=2e-3)
    assert losses[-1] < losses[0]
    # AdamW divides by the root of small gradients, so that rounding grows from step to step.
    assert np.abs(cuda_scores - scores).max() < 0.05 * np.abs(scores).max()


@pytest.mark.parametrize("make", [student, sasrec])
def test_hard_labels(make: Callable[[], SequenceModel]) -> None:
    assert_alike(make)


@pytest.mark.parametrize("candidates", [0, 10])
@pytest.mark.parametrize("loss", sorted({*LOSSES} - {"closure"}))
def test_a_teachers_labels(tmp_path: Path, candidates: int, loss: str) -> None:
    label(Ring(), SEQUENCES, ITEMS, tmp_path, 1 << 20, candidates)
    settings = replace(SETTINGS, teacher_weight=0.8, loss=loss, candidates=10)
    assert_alike(student, settings=settings, labels=open_labels(tmp_path))


def test_a_sampled_catalogue_learns_as_well(tmp_path: Path) -> None:
    """Its draws differ from device to device, so that losses are near, not equal."""
    label(Ring(), SEQUENCES, ITEMS, tmp_path, 1 << 20, 10)
    settings = replace(SETTINGS, teacher_weight=0.8, loss="closure", candidates=10, samples=16)
    settings = replace(settings, epochs=12)
    losses, _ = trained(student(), CPU, settings, open_labels(tmp_path))
    cuda_losses, _ = trained(student(), CUDA, settings, open_labels(tmp_path))
    assert cuda_losses[-1] == pytest.approx(losses[-1], rel=0.1)
    assert cuda_losses[-1] < 0.9 * cuda_losses[0]


def test_parts_of_an_accelerator_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, _ = trained(student(), CUDA)
    monkeypatch.setattr(whole_catalogue, "ACCELERATOR_PART_SCORES", 3 * ITEMS)
    monkeypatch.setattr(whole_catalogue, "PART_POSITIONS", 1)
    parts, _ = trained(student(), CUDA)
    np.testing.assert_allclose(parts, whole, rtol=1e-3)


@pytest.mark.parametrize("adapter", ["lora", "adalora", "ia3", "prefix"])
def test_the_llm_teacher(llm_folder: Path, adapter: str) -> None:
    def teacher(device: torch.device) -> Teacher:
        torch.manual_seed(3)
        llm = load_base_llm(str(llm_folder), "fp32", device)
        # AdaLoRA and prefix tuning draw at random: the same numbers on both.
        made = Teacher(
            llm, ITEMS, WIDTH, STATES, TeacherShape(AdapterShape(adapter, 2)), dropout=0.0
        )
        torch.manual_seed(4)
        with torch.no_grad():
            for parameter in made.parameters():
                if parameter.requires_grad:
                    parameter.copy_(torch.randn(parameter.shape) * 0.1)
        return made

    losses, scores = trained(teacher(CPU), CPU)
    cuda_losses, cuda_scores = trained(teacher(CUDA), CUDA)
    np.testing.assert_allclose(cuda_losses, losses, rtol=2e-3)
    assert np.abs(cuda_scores - scores).max() < 0.05 * np.abs(scores).max()


def test_bfloat16_is_near_float32(llm_folder: Path) -> None:
    torch.manual_seed(3)
    llm = load_base_llm(str(llm_folder), "auto", CUDA)
    assert llm.backbone.dtype == torch.bfloat16
    teacher = Teacher(llm, ITEMS, WIDTH, STATES, TeacherShape(AdapterShape(rank=2)), dropout=0.0)
    losses, _ = trained(teacher, CUDA, replace(SETTINGS, dtype=torch.bfloat16))
    plain = Teacher(
        load_base_llm(str(llm_folder), "fp32", CUDA),
        ITEMS,
        WIDTH,
        STATES,
        TeacherShape(AdapterShape(rank=2)),
        0.0,
    )
    assert losses[0] == pytest.approx(trained(plain, CUDA)[0][0], rel=0.05)


def test_the_llm_student_learns_its_teachers_states(llm_folder: Path) -> None:
    def pruned(device: torch.device) -> LlmStudent:
        torch.manual_seed(3)
        llm = load_base_llm(str(llm_folder), "fp32")
        teacher = Teacher(
            llm, ITEMS, WIDTH, STATES, TeacherShape(AdapterShape(rank=2)), dropout=0.0
        ).to(device)
        made = prune_teacher(teacher, STATES, first=1, last=1, dropout=0.0).to(device)
        made.alignment = Alignment(teacher, 0.3)
        return made

    losses, _ = trained(pruned(CPU), CPU)
    cuda_losses, _ = trained(pruned(CUDA), CUDA)
    np.testing.assert_allclose(cuda_losses, losses, rtol=2e-3)


def test_texts_are_pooled_alike(llm_folder: Path, tmp_path: Path) -> None:
    texts = ["the star wars", "red alert", "", "a much longer text of the stars than the others"]
    found = [
        pooled_states(
            load_base_llm(str(llm_folder), "fp32", device),
            texts,
            layer=1,
            max_tokens=16,
            cache=tmp_path / f"{device.type}.sqlite",
        )
        for device in (CPU, CUDA)
    ]
    np.testing.assert_allclose(found[1], found[0], atol=1e-4)


def test_rounding_while_training_is_the_same() -> None:
    found = []
    for device in (CPU, CUDA):
        model = student().to(device)
        with quantized(model, tower_bits=4, row_bits=4):
            found.append(SequenceScorer(model, WINDOW).position_scores(SEQUENCES, 1))
            fit(model, SEQUENCES, lambda _m: 0.0, SETTINGS)
        assert model.to(CPU).device == CPU
    np.testing.assert_allclose(found[1], found[0], atol=1e-3)


def test_two_processes_on_one_device_train_as_one(llm_folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", "2", "--local-addr", "127.0.0.1", __file__]
    done = subprocess.run(
        [*command, str(llm_folder), str(tmp_path)],
        check=False,
        capture_output=True,
        text=True,
        timeout=180,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    alone = process_losses(str(llm_folder))
    for rank in (0, 1):
        losses = json.loads((tmp_path / f"{rank}.json").read_text("utf-8"))
        np.testing.assert_allclose(losses, alone, rtol=1e-3)


def process_losses(llm_folder: str) -> list[float]:
    """Losses of a small LLM teacher, by as many processes as there are."""
    torch.manual_seed(0)
    llm = load_base_llm(llm_folder, "fp32", CUDA)
    teacher = Teacher(llm, ITEMS, WIDTH, STATES, TeacherShape(AdapterShape(rank=2)), dropout=0.0)
    return trained(teacher, CUDA)[0]


if __name__ == "__main__":
    with data_parallel() as joined:
        told = process_losses(sys.argv[1])
        Path(sys.argv[2], f"{joined.rank}.json").write_text(json.dumps(told), encoding="utf-8")
