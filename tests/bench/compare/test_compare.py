"""Two builds compared: slower is found, equal is not called slower, and what differs is said."""

from dataclasses import replace

import numpy as np
import pytest

from pocketrec_bench.compare import (
    CompareSettings,
    Interval,
    Verdict,
    agreement,
    compare_cards,
    overall,
)
from pocketrec_bench.compare.verdict import judge, reason
from pocketrec_bench.errors import DeviceMismatchError, NotComparableError
from pocketrec_bench.results import Result
from pocketrec_runtime.errors import InputError

from .runs import DEVICE, card_of, made_up_run


def _side(result: Result, seed: int, runs: int = 5, factor: float = 1.0) -> list[Result]:
    rng = np.random.default_rng(seed)
    return [made_up_run(result, rng, factor=factor, between=0.01) for _ in range(runs)]


def _verdict(first: list[Result], second: list[Result]) -> Verdict:
    return overall(compare_cards([card_of(first)], [card_of(second)]))


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        ((1.0, 0.97, 1.03), "equal"),
        ((1.10, 1.02, 1.18), "slower"),
        ((0.90, 0.85, 0.98), "faster"),
        ((1.03, 1.01, 1.049), "equal"),  # surely slower, but by less than matters
        ((1.04, 1.01, 1.07), "undecided"),
        ((1.10, 0.99, 1.20), "undecided"),
        ((0.90, 0.80, 1.01), "undecided"),
    ],
)
def test_verdicts_by_hand(interval: tuple[float, float, float], expected: Verdict) -> None:
    assert judge(Interval(*interval, "by hand"), 0.05) == expected


def test_noise_that_is_too_large_is_called_so() -> None:
    wide, narrow = Interval(1.1, 0.95, 1.3, ""), Interval(1.045, 1.02, 1.07, "")
    assert "noise of 18.2% is too large to tell a change of 5%" in reason("undecided", wide, 0.05)
    assert reason("undecided", narrow, 0.05).endswith("lies across the margin of 5%")


@pytest.mark.parametrize(
    ("factor", "expected"), [(1.25, "slower"), (0.8, "faster")]
)  # fmt: skip
def test_a_changed_build_is_found(result: Result, factor: float, expected: Verdict) -> None:
    assert _verdict(_side(result, 1), _side(result, 2, factor=factor)) == expected


def test_a_slowed_build_is_found_from_one_run_a_side(result: Result) -> None:
    [found] = compare_cards(
        [card_of(_side(result, 1, runs=1))], [card_of(_side(result, 2, 1, factor=1.25))]
    )
    assert found.verdict == "slower"
    assert any("one run a side" in note for note in found.notes)
    assert {row.metric: row.interval is None for row in found.rows} == {
        "p50": False, "p90": False, "p99": True, "throughput": False,
    }  # fmt: skip


@pytest.mark.parametrize(("runs", "most_alarms", "least_equal"), [(1, 6, 0), (5, 2, 55)])
def test_equal_builds_are_seldom_called_slower(
    result: Result, runs: int, most_alarms: int, least_equal: int
) -> None:
    rng = np.random.default_rng(11)
    verdicts = [
        _verdict(*([made_up_run(result, rng) for _ in range(runs)] for _ in range(2)))
        for _ in range(100)
    ]
    assert sum(verdict in {"slower", "faster"} for verdict in verdicts) <= most_alarms
    assert verdicts.count("equal") >= least_equal


def test_devices_that_differ_are_refused_unless_asked_for(result: Result) -> None:
    side = _side(result, 1)
    other = card_of(side, replace(DEVICE, governor="powersave"))
    with pytest.raises(DeviceMismatchError, match="governor: unknown and powersave"):
        compare_cards([card_of(side)], [other])
    assert overall(compare_cards([card_of(side)], [other], across_devices=True)) == "equal"


def test_a_run_that_is_not_valid_is_refused_unless_asked_for(result: Result) -> None:
    side = _side(result, 1)
    bad = [replace(each, valid=False, reasons=("too short",)) for each in side]
    with pytest.raises(NotComparableError, match="not valid: too short"):
        compare_cards([card_of(side)], [card_of(bad)])
    [found] = compare_cards([card_of(side)], [card_of(bad)], allow_invalid=True)
    assert "some runs are not valid" in found.notes


def _set(results: list[Result], **changes: object) -> list[Result]:
    return [replace(r, settings=replace(r.settings, **changes)) for r in results]  # type: ignore[arg-type]


def test_kinds_are_paired_whatever_their_order(result: Result) -> None:
    cached = _side(result, 1)
    uncached = _set(_side(result, 2, factor=3), division="uncached")
    found = compare_cards([card_of(cached + uncached)], [card_of(uncached), card_of(cached)])
    assert [each.verdict for each in found] == ["equal", "equal"]
    assert [each.pair.name.split(", ")[1] for each in found] == ["cached", "uncached"]


def test_other_weights_are_compared_and_named(result: Result) -> None:
    side = _side(result, 1)
    other = [
        replace(each, subject=replace(each.subject, fingerprint="cd" * 32))
        for each in _set(side, weights="int8")
    ]
    [found] = compare_cards([card_of(side)], [card_of(other)])
    assert found.pair.changed == (
        "weights: float32 and int8",
        "bundle: films.bundle abababababab and films.bundle cdcdcdcdcdcd",
    )


def test_different_work_is_not_compared(result: Result) -> None:
    side = _side(result, 1)
    with pytest.raises(NotComparableError, match="k: 10 and 20"):
        compare_cards([card_of(side)], [card_of(_set(side, k=20))])
    with pytest.raises(NotComparableError, match="none of the 2 kinds"):
        compare_cards([card_of(side + _set(side, threads=2))], [card_of(_set(side, threads=4))])


def _at(results: list[Result], seconds: list[int]) -> list[Result]:
    return [
        replace(each, measured_at=f"2026-03-01T12:00:{second:02d}Z")
        for each, second in zip(results, seconds, strict=True)
    ]


def test_runs_taken_in_turns_are_compared_in_pairs(result: Result) -> None:
    """The machine slows by half over the runs, for both sides alike."""
    slower = [1.0, 1.1, 1.2, 1.35, 1.5]
    side = [made_up_run(result, np.random.default_rng(1), factor=f, between=0.0) for f in slower]
    [turns] = compare_cards(
        [card_of(_at(side, [0, 12, 20, 32, 40]))], [card_of(_at(side, [2, 10, 22, 30, 42])[::-1])]
    )
    assert (turns.verdict, turns.pair.in_turns) == ("equal", True)
    interval = turns.rows[0].interval
    assert interval is not None
    assert interval.method == "Student's t over 5 pairs of runs taken in turns"
    [after] = compare_cards(
        [card_of(_at(side, [0, 2, 4, 6, 8]))], [card_of(_at(side, [10, 12, 14, 16, 18]))]
    )
    assert (after.verdict, after.pair.in_turns) == ("undecided", False)


def test_a_figure_of_nothing_is_refused(result: Result) -> None:
    side = _side(result, 1)
    with pytest.raises(NotComparableError, match="above 0"):
        compare_cards([card_of(side)], [card_of([replace(side[0], throughput_qps=0.0)])])


def test_replicates_agree_within_five_percent(result: Result) -> None:
    latency = result.latency

    def at(median: float) -> Result:
        curve = replace(latency, min_s=0.0, p50_s=median, p90_s=9, p99_s=9, max_s=9, curve_s=())
        return replace(result, latency=curve)

    good, bad = agreement([at(1.0), at(1.05), at(1.02)]), agreement([at(1.0), at(1.051)])
    assert (good.agrees, bad.agrees) == (True, False)
    assert "5.1% apart" in str(bad)
    with pytest.raises(ValueError, match="at least 2"):
        agreement([result])
    with pytest.raises(ValueError, match="no replicates"):
        agreement([result, *_set([result], threads=2)])


@pytest.mark.parametrize("margin", [0.0, 1.0, -0.1, float("nan")])
def test_a_margin_out_of_bounds_is_refused(margin: float) -> None:
    with pytest.raises(InputError, match="margin"):
        CompareSettings(margin=margin)
