"""The end of a run: the gate's verdict, and where a bundle goes that did not pass."""

from collections.abc import Callable, Mapping
from pathlib import Path

from pocketrec_distill.evaluation.gate import Gate, GateSettings, judge
from pocketrec_distill.evaluation.metrics import RankingMetrics
from pocketrec_distill.report.verdict import sentence


def closing_gate(
    test: Mapping[str, RankingMetrics], settings: GateSettings, say: Callable[[str], None]
) -> Gate:
    """The verdict on the shipped student, every check said in one line."""
    gate = judge(test, settings)
    for check in gate.checks:
        say(f"gate: {check.status}: {sentence(check.as_dict())}")
    say(
        f"gate: {gate.status}{'' if gate.enforced or gate.status != 'failed' else ', not enforced'}"
    )
    return gate


def gated_path(out: Path, gate: Gate) -> Path:
    """Where the bundle goes: `out`, or beside it under another name where the gate blocks it.

    `my.bundle` becomes `my.bundle.failed`, `my.zip` becomes `my.failed.zip`: what lies at `out`
    from an earlier run stays, and whoever publishes `out` never publishes what failed.
    """
    if not gate.blocks:
        return out
    if out.suffix == ".zip":
        return out.with_suffix(".failed.zip")
    return out.with_name(f"{out.name}.failed")
