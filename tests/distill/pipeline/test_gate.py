"""Where a bundle goes that did not pass."""

from pathlib import Path

import numpy as np
import pytest

from pocketrec_distill.evaluation import RankingMetrics
from pocketrec_distill.evaluation.gate import GateSettings
from pocketrec_distill.pipeline.gate import closing_gate, gated_path


def gate_of(rank: int, settings: GateSettings, said: list[str]):
    """The gate of a student at `rank` for each of 40 users, its control at 2, its teacher at 1."""
    ranks = {"shipped": rank, "blend": 1, "control": 2}
    test = {name: RankingMetrics(np.full(40, place), 0.5) for name, place in ranks.items()}
    return closing_gate(test, settings, said.append)


@pytest.mark.parametrize(
    ("out", "failed"),
    [
        ("my.bundle", "my.bundle.failed"),
        ("bundle", "bundle.failed"),
        ("my.zip", "my.failed.zip"),
        ("v1.2.zip", "v1.2.failed.zip"),
    ],
)
def test_a_failed_bundle_goes_beside(out: str, failed: str) -> None:
    target, said = Path("some") / out, []
    assert gated_path(target, gate_of(3, GateSettings(), said)) == Path("some") / failed
    assert gated_path(target, gate_of(3, GateSettings(enforce=False), said)) == target
    assert gated_path(target, gate_of(1, GateSettings(), said)) == target


def test_every_check_is_said() -> None:
    said: list[str] = []
    gate_of(3, GateSettings(), said)
    assert [line.split(":")[:2] for line in said] == [
        ["gate", " failed"],
        ["gate", " failed"],
        ["gate", " failed"],
    ]
    assert "does not beat its control" in said[1]
    assert said[2] == "gate: failed"
    gate_of(3, GateSettings(enforce=False), said)
    assert said[-1] == "gate: failed, not enforced"
