"""The gate's verdict in words, for the report's first line, a terminal and the page."""

from collections.abc import Mapping
from typing import Any

from pocketrec_distill.report.names import model_name


def verdict(gate: Mapping[str, Any]) -> str:
    """One or more sentences that say what the gate found wrong; "" where everything passed.

    The control comes first: a student that is not better than it gained nothing by distillation.
    """
    checks = sorted(gate["checks"], key=lambda check: check["rival"] != "control")
    said = [sentence(check) for check in checks if check["status"] == "failed"]
    said += [
        sentence(check)
        for check in checks
        if check["status"] == "undecided" and check["level"] == "fail"
    ]
    if not said:
        return ""
    opening = {
        "failed": "The gate failed. " if gate["enforced"] else "The gate would have failed. ",
        "undecided": "The gate is undecided. ",
    }.get(gate["status"], "")
    return opening + " ".join(said)


def sentence(check: Mapping[str, Any]) -> str:
    """What one check found, with its value and interval."""
    status, figures = check["status"], _figures(check)
    if check["measure"] == "ratio":
        source = _SOURCES.get(check["rival"], model_name(check["rival"]))
        kept = f"{check['threshold']:.0%} of {source}"
        told = {
            "passed": f"The student keeps at least {kept}",
            "failed": f"The student keeps less than {kept}",
            "undecided": f"That the student keeps {kept} is not beyond doubt",
        }[status]
        return f"{told} ({figures})."
    rival = _RIVALS.get(check["rival"], model_name(check["rival"]))
    told = {
        "passed": f"The student beats {rival}",
        "failed": f"The student does not beat {rival}",
        "undecided": f"The student is not beyond doubt better than {rival}",
    }[status]
    return f"{told} ({figures})."


_SOURCES = {
    "blend": "the blended teacher it learned from",
    "teacher": "the LLM teacher it learned from",
}

_RIVALS = {
    "control": "its control, the same model trained without distillation",
    "sasrec": "SASRec on ids",
    "ease": "EASE",
    "itemitem": "item-to-item co-occurrence",
    "popularity": "popularity",
}


def _figures(check: Mapping[str, Any]) -> str:
    users = f"{check['users']:,} users"
    if check["value"] is None:
        return f"not a number, {users}"
    low, high = check["ci95"]
    if check["measure"] == "ratio":
        return f"{check['value']:.1%}, 95% interval {low:.1%} to {high:.1%}, {users}"
    return (
        f"NDCG@10 {check['value']:+.4f}, 95% interval {low:+.4f} to {high:+.4f}, "
        f"threshold {check['threshold']:+.4f}, {users}"
    )
