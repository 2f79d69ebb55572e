"""The gate on ranks made by hand: rank 1 is an NDCG@10 of 1, rank 3 of 0.5, rank 11 of 0."""

import dataclasses

import numpy as np
import pytest

from pocketrec_distill.errors import ConfigError, DataError
from pocketrec_distill.evaluation import RankingMetrics
from pocketrec_distill.evaluation.gate import Gate, GateSettings, judge
from pocketrec_distill.report.verdict import verdict

FIRST, THIRD, OUT = 1, 3, 11


def ranks(*parts: tuple[int, int]) -> RankingMetrics:
    """Metrics of users whose ranks are given as (rank, how many users)."""
    values = np.concatenate([np.full(count, rank, np.int64) for rank, count in parts])
    return RankingMetrics(values, 0.5)


def judged(settings: GateSettings | None = None, **models: RankingMetrics) -> Gate:
    """The verdict where, unless `models` say else, the student is as good as its teacher."""
    good, bad = ranks((FIRST, 40)), ranks((THIRD, 40))
    test = {"shipped": good, "blend": good, "control": bad, "sasrec": bad, "popularity": bad}
    return judge({**test, **models}, settings or GateSettings())


def found(gate: Gate) -> dict[str, str]:
    return {check.name: check.status for check in gate.checks}


def test_a_student_ahead_of_everybody_passes_with_exact_figures() -> None:
    gate = judged(blend=ranks((FIRST, 20), (OUT, 20)))
    assert gate.status == "passed"
    assert not gate.blocks
    assert set(found(gate).values()) == {"passed"}
    retention, control = gate.checks[0], gate.checks[1]
    assert (retention.name, retention.rival, retention.value) == ("retention", "blend", 2.0)
    assert (control.name, control.value, control.ci95) == ("beats_control", 0.5, (0.5, 0.5))
    assert (control.threshold, control.users) == (0.0, 40)
    assert verdict(gate.as_dict()) == ""


def test_a_student_equal_to_its_control_does_not_beat_it() -> None:
    mixed = ranks((FIRST, 30), (THIRD, 10))
    gate = judged(shipped=mixed, control=mixed)
    assert found(gate)["beats_control"] == "failed"
    assert gate.status == "failed"
    assert gate.blocks
    said = verdict(gate.as_dict())
    assert said.startswith("The gate failed. The student does not beat its control, the same model")
    assert "NDCG@10 +0.0000, 95% interval +0.0000 to +0.0000" in said


def test_ahead_but_not_beyond_doubt_is_undecided() -> None:
    """21 users better by 0.5 and 19 worse by 0.5: +0.025, and an interval on both sides of 0."""
    shipped = RankingMetrics(np.array([FIRST] * 21 + [THIRD] * 19), 0.5)
    control = RankingMetrics(np.array([THIRD] * 21 + [FIRST] * 19), 0.5)
    models = {"shipped": shipped, "control": control, "blend": shipped, "sasrec": ranks((OUT, 40))}
    models["popularity"] = ranks((OUT, 40))
    gate = judged(**models)
    check = gate.checks[1]
    assert check.value == pytest.approx(0.025)
    assert check.ci95 is not None
    assert check.ci95[0] < 0 < check.ci95[1]
    assert (check.status, gate.status, gate.blocks) == ("undecided", "undecided", False)
    assert "not beyond doubt better than its control" in verdict(gate.as_dict())
    strict = judged(GateSettings(undecided="fail"), **models)
    assert (strict.status, strict.blocks) == ("failed", True)


def test_the_same_users_are_paired() -> None:
    """Every user is ahead by one place: certain, however much the users differ."""
    places = np.tile(np.arange(1, 11), 4)
    gate = judged(shipped=RankingMetrics(places, 0.5), control=RankingMetrics(places + 1, 0.5))
    assert found(gate)["beats_control"] == "passed"


def test_retention_is_of_the_blend_and_counts_its_lower_end() -> None:
    """36 of 40 teacher hits kept: 0.9 is the threshold, reached; its lower end is not."""
    at = judged(shipped=ranks((FIRST, 36), (OUT, 4)), control=ranks((OUT, 40)))
    assert at.checks[0].value == pytest.approx(0.9)
    assert at.checks[0].status == "undecided"
    below = judged(shipped=ranks((FIRST, 35), (OUT, 5)), control=ranks((OUT, 40)))
    assert below.checks[0].status == "failed"
    assert below.status == "failed"
    assert "keeps less than 90% of the blended teacher it learned from" in verdict(below.as_dict())
    low = judged(GateSettings(retention=0.5), shipped=ranks((FIRST, 35), (OUT, 5)))
    assert low.checks[0].status == "passed"


def test_without_a_blend_the_teacher_is_what_is_kept() -> None:
    good = ranks((FIRST, 40))
    gate = judge({"shipped": good, "teacher": ranks((THIRD, 40))}, GateSettings())
    assert [(check.rival, check.value) for check in gate.checks] == [("teacher", 2.0)]


def test_ease_above_the_student_is_named_and_fails_where_asked() -> None:
    models = {
        "shipped": ranks((THIRD, 40)),
        "ease": ranks((FIRST, 40)),
        "control": ranks((OUT, 40)),
    }
    models |= {"blend": ranks((THIRD, 40)), "sasrec": ranks((OUT, 40))}
    models["popularity"] = ranks((OUT, 40))
    gate = judged(**models)
    assert found(gate)["beats_ease"] == "failed"
    assert gate.status == "passed"
    assert verdict(gate.as_dict()).startswith("The student does not beat EASE (NDCG@10 -0.5000")
    assert judged(GateSettings(ease="fail"), **models).status == "failed"
    assert "beats_ease" not in found(judged(GateSettings(ease="off"), **models))


@pytest.mark.parametrize("rival", ["control", "sasrec", "popularity"])
def test_every_binding_rival_can_fail_alone(rival: str) -> None:
    gate = judged(**{"shipped": ranks((FIRST, 39), (THIRD, 1)), rival: ranks((FIRST, 40))})
    failed = [name for name, status in found(gate).items() if status == "failed"]
    assert failed == [f"beats_{rival}"]
    assert gate.status == "failed"


def test_a_margin_must_be_exceeded() -> None:
    assert judged(GateSettings(margin=0.49)).status == "passed"
    assert judged(GateSettings(margin=0.5)).status == "failed"


class NanMetrics(RankingMetrics):
    """A model whose metric is no number for one user."""

    @property
    def ndcg(self):
        values = super().ndcg
        values[0] = np.nan
        return values


@pytest.mark.parametrize("who", ["shipped", "control"])
def test_nan_fails(who: str) -> None:
    gate = judged(**{who: NanMetrics(np.full(40, FIRST), 0.5)})
    check = gate.checks[1]
    assert (check.status, check.value, check.ci95) == ("failed", None, None)
    assert gate.blocks
    assert "not a number" in verdict(gate.as_dict())


def test_nan_fails_however_few_users_there_are() -> None:
    gate = judged(shipped=NanMetrics(np.full(5, FIRST), 0.5), **{
        name: ranks((THIRD, 5)) for name in ("blend", "control", "sasrec", "popularity")
    })  # fmt: skip
    assert set(found(gate).values()) == {"failed"}


@pytest.mark.parametrize("ahead", [True, False])
def test_too_few_users_decide_nothing(ahead: bool) -> None:
    good, bad = ranks((FIRST, 29)), ranks((THIRD, 29))
    shipped, control = (good, bad) if ahead else (bad, good)
    models = {"shipped": shipped, "control": control, "blend": shipped}
    models |= {"sasrec": ranks((OUT, 29)), "popularity": ranks((OUT, 29))}
    gate = judged(**models)
    assert set(found(gate).values()) == {"undecided"}
    assert (gate.status, gate.blocks) == ("undecided", False)
    assert judged(GateSettings(undecided="fail"), **models).blocks
    assert judged(GateSettings(min_users=29), **models).status == ("passed" if ahead else "failed")


def test_a_teacher_that_hits_nothing_is_no_excuse() -> None:
    nothing = ranks((OUT, 40))
    gate = judged(shipped=nothing, blend=nothing)
    assert found(gate)["retention"] == "failed"


def test_a_gate_that_is_not_enforced_blocks_nothing_and_still_says_so() -> None:
    bad = ranks((THIRD, 40))
    gate = judged(GateSettings(enforce=False), shipped=bad)
    assert (gate.status, gate.blocks) == ("failed", False)
    assert verdict(gate.as_dict()).startswith("The gate would have failed. ")


def test_models_measured_on_other_users_are_refused() -> None:
    with pytest.raises(DataError, match="40 users and control on 39"):
        judged(control=ranks((THIRD, 39)))
    with pytest.raises(DataError, match="'shipped'"):
        judge({"teacher": ranks((FIRST, 40))}, GateSettings())
    with pytest.raises(DataError, match="no query"):
        judge({"shipped": ranks((1, 0)), "blend": ranks((1, 0))}, GateSettings())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("retention", -0.1),
        ("retention", float("nan")),
        ("margin", 1.0),
        ("margin", float("nan")),
        ("min_users", 0),
        ("control", "no"),
        ("ease", ""),
        ("undecided", "off"),
    ],
)
def test_wrong_settings_are_named(name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=rf"\[gate\] {name} is "):
        dataclasses.replace(GateSettings(), **{name: value})
