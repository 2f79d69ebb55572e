"""NDCG@10 against the share of requests that a server answers: by the policy, and at random."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.deferral.fit import SHARES
from pocketrec_distill.evaluation.bootstrap import mean_interval

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class CurvePoint:
    """One share of requests.

    Attributes:
        share: Of requests that the server answers, those of the highest expected gain.
        ndcg: NDCG@10 over all requests.
        random: The same where as many are chosen at random, in the mean.
        gain: `ndcg` less that of the device alone.
        ci95: Interval of the gain, over users.
    """

    share: float
    ndcg: float
    random: float
    gain: float
    ci95: tuple[float, float]


def deferral_curve(
    expected: Floats, device: Floats, server: Floats, shares: Sequence[float] = (0.0, *SHARES)
) -> list[CurvePoint]:
    """The curve over the same queries.

    Args:
        expected: Expected gain of each, by the policy, (queries,).
        device: NDCG@10 of the device's answer, (queries,).
        server: NDCG@10 of the server's, (queries,).
        shares: Where to measure.
    """
    order = np.argsort(-expected, kind="stable")
    alone, gains = float(device.mean()), server - device
    points = []
    for share in shares:
        chosen = order[: round(share * len(order))]
        taken = np.zeros(len(order))
        taken[chosen] = gains[chosen]
        interval = mean_interval(taken)
        points.append(
            CurvePoint(
                share=share,
                ndcg=alone + interval.value,
                random=alone + share * float(gains.mean()),
                gain=interval.value,
                ci95=(interval.low, interval.high),
            )
        )
    return points


def most_kept(expected: Floats, shares: Sequence[float] = SHARES) -> list[float]:
    """Share of all gain that requests can be expected to hold, at most, by share of requests.

    Who knew what the teacher expects of each would defer those of the highest expected gain. Where
    a student is a little worse everywhere, they hold little more than their number.

    Args:
        expected: NDCG@10 that the teacher expects to gain, 0 or more, (queries,).
        shares: Of requests.

    Returns:
        A share for each; 0 where nothing is to gain.
    """
    falling = np.sort(expected)[::-1]
    total = float(falling.sum()) or 1.0
    return [float(falling[: round(share * len(falling))].sum()) / total for share in shares]
