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
