"""Which device a setting means: of a machine with none, one or several CUDA devices."""

import pytest
import torch

from pocketrec_distill.errors import ConfigError
from pocketrec_distill.llm.base import compute_dtype
from pocketrec_distill.placement import CPU, described, placed_on, set_threads
from pocketrec_distill.settings import RunSettings
from pocketrec_distill.spread import here, spread_over
from pocketrec_distill.training import parallel
from pocketrec_runtime.cores import usable_cores


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """A machine with so many CUDA devices, in a process of such a LOCAL_RANK; None without one."""
    devices, rank = request.param
    monkeypatch.setattr(torch.cuda, "device_count", lambda: devices)
    if rank is None:
        monkeypatch.delenv("LOCAL_RANK", raising=False)
    else:
        monkeypatch.setenv("LOCAL_RANK", rank)


@pytest.mark.parametrize(
    ("machine", "name", "expected"),
    [
        ((0, None), "auto", "cpu"),
        ((0, None), "cpu", "cpu"),
        ((1, None), "auto", "cuda:0"),
        ((1, None), "cpu", "cpu"),
        ((2, None), "cuda", "cuda:0"),
        ((2, None), "cuda:1", "cuda:1"),
        ((2, "1"), "auto", "cuda:1"),
        ((2, "1"), "cuda", "cuda:1"),
        ((2, "1"), "cuda:0", "cuda:0"),
        ((0, "1"), "auto", "cpu"),
    ],
    indirect=["machine"],
)
@pytest.mark.usefixtures("machine")
def test_a_name_means_a_device(name: str, expected: str) -> None:
    assert placed_on(name) == torch.device(expected)


@pytest.mark.parametrize(
    ("machine", "name", "message"),
    [
        ((0, None), "cuda", "number 0 from 0, but torch sees 0 CUDA devices"),
        ((2, None), "cuda:2", "number 2 from 0, but torch sees 2 CUDA devices"),
        ((1, "1"), "auto", "number 1 from 0, but torch sees 1 CUDA devices"),
    ],
    indirect=["machine"],
)
@pytest.mark.usefixtures("machine")
def test_a_device_that_is_not_there_is_named(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        placed_on(name)


def test_no_number_of_threads_is_all_cores() -> None:
    before = torch.get_num_threads()
    try:
        set_threads(3)
        assert torch.get_num_threads() == 3
        set_threads(0)
        assert torch.get_num_threads() == usable_cores()
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("name", ["gpu", "", "cuda:", "cuda:-1", "CPU", "cuda:1 ", "mps"])
def test_unknown_names_are_refused_before_anything_runs(name: str) -> None:
    with pytest.raises(ConfigError, match="auto, cpu, cuda or cuda:N"):
        RunSettings(device=name)
    with pytest.raises(ConfigError, match="auto, cpu, cuda or cuda:N"):
        placed_on(name)


@pytest.mark.parametrize(
    ("capability", "expected"), [((7, 5), torch.float32), ((8, 0), torch.bfloat16)]
)
def test_a_device_that_only_emulates_bfloat16_computes_in_float32(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], expected: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _device: capability)
    assert compute_dtype("auto", torch.device("cuda", 0)) == expected
    assert compute_dtype("bf16", torch.device("cuda", 0)) == torch.bfloat16


def test_ray_workers_are_not_given_models_of_a_cuda_device() -> None:
    with pytest.raises(ConfigError, match="ray is 2 and device cuda:0"):
        spread_over(2, torch.device("cuda", 0))
    assert spread_over(0, torch.device("cuda", 0)) is here


def test_processes_that_share_a_device_add_up_without_nccl(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for processes, backends in (("1", "cpu:gloo,cuda:nccl"), ("2", "cpu:gloo,cuda:nccl"),
                                ("3", "gloo")):  # fmt: skip
        monkeypatch.setenv("LOCAL_WORLD_SIZE", processes)
        assert parallel._backends() == backends


def test_reports_name_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _device: "Some Card")
    assert described(CPU) == "cpu"
    assert described(torch.device("cuda", 1)) == "cuda:1 (Some Card)"
