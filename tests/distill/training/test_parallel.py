"""Two processes on this machine train as one does: same losses, same weights, nothing left over."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pocketrec_distill.errors import ConfigError
from pocketrec_distill.llm import load_base_llm
from pocketrec_distill.llm.adapters import AdapterShape
from pocketrec_distill.models.teacher import Teacher, TeacherShape
from pocketrec_distill.training import TrainSettings, fit
from pocketrec_distill.training.parallel import Group, current_group, data_parallel

ITEMS = 9
# Lengths differ, so that shares of a batch are uneven; 13 sequences in batches of 4 leave one of 1.
SEQUENCES = [np.arange(start, start + length, dtype=np.int32) % ITEMS
             for start, length in enumerate((5, 2, 3, 2, 6, 2, 4, 3, 2, 2, 7, 2, 3))]  # fmt: skip
WEIGHTS = [np.linspace(0.5, 2.0, len(s)).astype(np.float32) for s in SEQUENCES]
LAUNCHERS = {
    "torchrun": "torch.distributed.run --standalone --nproc-per-node 2 --local-addr 127.0.0.1",
    # The same with another face: without a CUDA device its processes meet over Gloo all the same.
    "accelerate": "accelerate.commands.launch --multi_gpu --num_processes 2 --num_machines 1"
    " --mixed_precision no --dynamo_backend no --main_process_port 0",
}
SETTINGS = TrainSettings(epochs=3, patience=9, batch=4, learning_rate=1e-2, seed=5)


def trained(llm_folder: str) -> dict[str, object]:
    """Losses, validations asked for, and a sum over the weights of a small LLM teacher."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    states = np.random.default_rng(1).normal(size=(ITEMS, 7)).astype(np.float32)
    llm = load_base_llm(llm_folder, "fp32")
    teacher = Teacher(llm, ITEMS, 8, states, TeacherShape(AdapterShape(rank=2)), dropout=0.0)
    asked: list[int] = []

    def validate(_model: object) -> float:
        asked.append(1)
        return float(len(asked))

    curve = fit(teacher, SEQUENCES, validate, SETTINGS, weights=WEIGHTS, group=current_group())
    moved = [p.detach().double().abs().sum() for p in teacher.parameters() if p.requires_grad]
    return {
        "losses": [row.loss for row in curve],
        "ndcg": [row.ndcg for row in curve],
        "asked": len(asked),
        "weights": float(torch.stack(moved).sum()),
    }


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_two_processes_train_as_one(launcher: str, llm_folder: Path, tmp_path: Path) -> None:
    alone = trained(str(llm_folder))
    words = [*LAUNCHERS[launcher].split(), __file__, str(llm_folder), str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", *words],
        check=False,
        capture_output=True,
        text=True,
        timeout=180,
        env={
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "TORCHELASTIC_ERROR_FILE": "",
            "HF_HOME": str(tmp_path),  # where accelerate looks for a configuration
        },
    )
    assert done.returncode == 0, done.stderr[-3000:]
    said = [json.loads((tmp_path / f"{rank}.json").read_text("utf-8")) for rank in (0, 1)]
    for told in said:
        np.testing.assert_allclose(told["losses"], alone["losses"], rtol=2e-5)
        assert told["weights"] == pytest.approx(alone["weights"], rel=2e-5)
        assert told["ndcg"] == alone["ndcg"] == [1.0, 2.0, 3.0]
    assert [told["asked"] for told in said] == [3, 0]
    # Both processes have ended: torchrun waits for them, and their ids are free or another's.
    assert not any(_runs_this_file(told["pid"]) for told in said)


def _runs_this_file(process: int) -> bool:
    try:
        return __file__.encode() in Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return False


def test_shares_are_a_partition_and_weigh_one_in_all() -> None:
    indices = np.array([7, 3, 9, 1, 4])
    counts = np.array([1.0, 2.0, 3.0, 4.0, 0.5])
    parts = [Group(rank, 2).share(indices, counts) for rank in (0, 1)]
    assert [mine.tolist() for mine, _ in parts] == [[7, 9, 4], [3, 1]]
    assert [part for _, part in parts] == pytest.approx([4.5 / 10.5, 6 / 10.5])
    mine, part = Group(1, 2).share(indices[:1], counts[:1])
    assert (mine.tolist(), part) == ([], 0.0)
    mine, part = Group().share(indices, counts)
    assert (mine.tolist(), part) == (indices.tolist(), 1.0)


def test_one_process_opens_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with data_parallel() as group:
        assert group == current_group() == Group(0, 1)
        assert group.leads
        assert not torch.distributed.is_initialized()
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "2")
    with pytest.raises(ConfigError, match="WORLD_SIZE is '2' and RANK '2'"), data_parallel():
        pass


def test_settings_are_asymmetric_enough() -> None:
    """A plain mean over processes would be another loss: the shares of a batch differ in weight."""
    counts = np.array([w[1:].sum() for w in WEIGHTS[:4]])
    assert Group(0, 2).share(np.arange(4), counts)[1] != pytest.approx(0.5, abs=0.02)
    assert replace(SETTINGS, batch=4).batch * 3 < len(SEQUENCES)


if __name__ == "__main__":
    with data_parallel() as joined:
        told = {**trained(sys.argv[1]), "pid": os.getpid()}
        Path(sys.argv[2], f"{joined.rank}.json").write_text(json.dumps(told), encoding="utf-8")
    # The group is closed, and what is asked here is over. About once in a hundred runs threads of
    # PyTorch's abort the end of the interpreter ("terminate called without an active exception").
    os._exit(0)
