"""How the step size moves over a training of known length."""

import torch

WARMUP_SHARE = 0.1


def rate(step: int, steps: int) -> float:
    """Factor of the step size at `step` from 0: a linear warm-up, then a linear fall to 0."""
    warm = max(1, round(WARMUP_SHARE * steps))
    return min((step + 1) / warm, max(0.0, (steps - step) / max(1, steps - warm)))


def warmed_up(optimiser: torch.optim.Optimizer, steps: int) -> torch.optim.lr_scheduler.LRScheduler:
    """The schedule of `rate` over `steps` steps."""
    return torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: rate(step, steps))
