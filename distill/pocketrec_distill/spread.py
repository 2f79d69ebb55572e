"""Where independent parts of a job are worked on: here, one after the other, or on Ray."""

import io
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
import torch

from pocketrec_distill.errors import ConfigError
from pocketrec_distill.models.base import Floats
from pocketrec_runtime.errors import MissingExtraError

Part = TypeVar("Part")


class Spread(Protocol):
    """Works on parts, and gives their results in the order of the parts."""

    def __call__(self, work: Callable[[Part], Floats], parts: Sequence[Part]) -> Iterator[Floats]:
        """One float32 array for each part."""
        ...


def here(work: Callable[[Part], Floats], parts: Sequence[Part]) -> Iterator[Floats]:
    """In this process."""
    return map(work, parts)


class OnRay:
    """As a Ray Data job: each worker holds the model once, and takes part after part.

    The parts are those of the local way, so that results are the same numbers. Joins the cluster
    that `RAY_ADDRESS` names, or starts a local one, which ends with the process.

    Args:
        workers: Processes that work.

    Raises:
        MissingExtraError: Ray is not installed.
    """

    def __init__(self, workers: int) -> None:
        try:
            import ray.data  # noqa: F401  (said before anything is trained)
        except ImportError as error:
            raise MissingExtraError("ray", "ray") from error
        self.workers = workers

    def __call__(self, work: Callable[[Part], Floats], parts: Sequence[Part]) -> Iterator[Floats]:
        """One float32 array for each part."""
        import ray

        if not ray.is_initialized():
            ray.init(include_dashboard=False, log_to_driver=False, configure_logging=False)
        context = ray.data.DataContext.get_current()
        context.execution_options.preserve_order = True
        context.enable_progress_bars = False
        job = ray.put((work, list(parts)))
        numbers = ray.data.from_items(
            [{"part": number} for number in range(len(parts))], override_num_blocks=len(parts)
        )
        done = numbers.map_batches(
            _Worker,
            fn_constructor_args=(job,),
            batch_size=1,
            concurrency=min(self.workers, len(parts)),
        )
        for row in done.iter_rows():
            yield np.load(io.BytesIO(row["result"]), allow_pickle=False)


class _Worker:
    """One process of a job."""

    def __init__(self, job: Any) -> None:
        import ray

        torch.set_num_threads(1)
        self._work, self._parts = ray.get(job)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Work on the parts that a batch names."""
        results = []
        for number in batch["part"].tolist():
            file = io.BytesIO()
            np.save(file, np.ascontiguousarray(self._work(self._parts[number])))
            results.append(file.getvalue())
        return {"part": batch["part"], "result": results}


def spread_over(workers: int, device: torch.device) -> Spread:
    """`here` for 0 workers, else Ray.

    Raises:
        ConfigError: Ray's workers were asked for models on a CUDA device.
        MissingExtraError: As `OnRay`.
    """
    if workers and device.type != "cpu":
        raise ConfigError(
            f"[run] ray is {workers} and device {device}; Ray's workers use the CPU: set device to "
            "cpu, or ray to 0"
        )
    return OnRay(workers) if workers else here
