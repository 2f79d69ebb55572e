"""On which processor models are trained and scores made: threads of the CPU, or a CUDA device."""

import os
import re

import torch

from pocketrec_distill.errors import ConfigError
from pocketrec_runtime.cores import usable_cores

CPU = torch.device("cpu")
CHOICES = "auto, cpu, cuda or cuda:N"
_NAME = re.compile(r"auto|cpu|cuda(:\d{1,3})?")


def set_threads(count: int) -> None:
    """Give torch so many threads in this process; 0 gives it all cores that the process may use."""
    torch.set_num_threads(count or usable_cores())


def known_device(name: str) -> bool:
    """Whether `name` is a setting that `placed_on` reads."""
    return _NAME.fullmatch(name) is not None


def placed_on(name: str) -> torch.device:
    """The device that a setting means on this machine.

    Args:
        name: "auto", a CUDA device where there is one; or "cpu", "cuda", "cuda:1" and so on.
            Without a number, each of torchrun's processes on a machine takes a device of its own.

    Raises:
        ConfigError: The name is unknown, or this machine has no such device.
    """
    if not known_device(name):
        raise ConfigError(f"device is {name!r}; choose {CHOICES}")
    count = torch.cuda.device_count()
    if name == "cpu" or (name == "auto" and not count):
        return CPU
    _, _, number = name.partition(":")
    index = int(number or os.environ.get("LOCAL_RANK", "0"))
    if index >= count:
        raise ConfigError(
            f"device is {name!r}, number {index} from 0, but torch sees {count} CUDA devices here; "
            "choose cpu, or start no more processes than devices"
        )
    return torch.device("cuda", index)


def described(device: torch.device) -> str:
    """What reports call a device."""
    if device.type != "cuda":
        return str(device)
    return f"{device} ({torch.cuda.get_device_name(device)})"
