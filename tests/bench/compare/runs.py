"""Runs as a machine with neighbours gives them, from a fixed seed."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pocketrec_bench.card import Build, Card
from pocketrec_bench.device import DeviceCard
from pocketrec_bench.figures import Latency, Slice
from pocketrec_bench.results import Result

DEVICE = DeviceCard(cpu="a", architecture="x86_64", cores_usable=2)


def made_up_run(
    template: Result, rng: np.random.Generator, *, factor: float = 1.0, between: float = 0.02
) -> Result:
    """A run whose median is 0.1 ms times `factor`, times noise of the run and of 60 stretches.

    Stretches follow each other: each keeps 0.6 of the last one's noise of 3%.
    """
    run = np.exp(rng.normal(0, between))
    noise = np.empty(60)
    last = 0.0
    for place in range(60):
        last = 0.6 * last + 0.8 * rng.normal(0, 0.03)
        noise[place] = last
    medians = 1e-4 * factor * run * np.exp(noise)
    slices = tuple(Slice(float(n), int(1 / m), m, 1.3 * m) for n, m in enumerate(medians.tolist()))
    middle = float(np.median(medians))
    latency = Latency(400_000, middle * 0.8, middle, middle, middle * 1.3, middle * 2, middle * 9)
    return replace(template, latency=latency, slices=slices, throughput_qps=1 / middle)


def card_of(results: Sequence[Result], device: DeviceCard = DEVICE) -> Card:
    """A card of those results."""
    return Card(Build("0.1.0", "unknown"), device, tuple(results))
