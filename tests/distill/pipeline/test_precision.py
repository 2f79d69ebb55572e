"""The choice of a precision: smallest, neither worse nor slower, and exact."""

from dataclasses import replace

import pytest

from pocketrec_distill.pipeline.precision import FULL, PRECISIONS, SMALLEST, Variant, choose, loses

SIZES = {"fp32": 100, "int8": 40, "int4": 30}
ROWS = {"float32": 1000, "int8": 300, "int4": 200}


def measured(**changes: dict[str, float]) -> list[Variant]:
    """Every precision, all as good as fp32; changes by "tower rows"."""
    found = []
    for precision in PRECISIONS:
        variant = Variant(
            precision.tower, precision.rows, "plain", ndcg=0.2, append_ms=10.0,
            append_difference=1e-6, size_bytes=SIZES[precision.tower] + ROWS[precision.rows],
            parity={},
        )  # fmt: skip
        found.append(replace(variant, **changes.get(f"{precision.tower}_{precision.rows}", {})))
    return found


def chosen(variants: list[Variant]) -> tuple[str, str]:
    best = choose(variants)
    return best.tower, best.rows


def test_the_smallest_of_equals_is_shipped() -> None:
    assert chosen(measured()) == ("int4", "int4")


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        ({"ndcg": 0.19899}, False),
        ({"ndcg": 0.19901}, True),
        ({"append_ms": 10.6}, False),
        ({"append_ms": 10.4}, True),
        ({"append_difference": 1.1e-4}, False),
        ({"append_difference": 0.9e-4}, True),
    ],
)
def test_half_a_percent_noise_and_an_inexact_cache_are_the_limits(
    change: dict[str, float], kept: bool
) -> None:
    expected = ("int4", "int4") if kept else ("int8", "int4")
    assert chosen(measured(int4_int4=change)) == expected


@pytest.mark.parametrize(
    ("ndcg", "error", "kept"),
    [
        (0.1985, 0.0016, True),  # .75% lost, and as much may be chance
        (0.1985, 0.0014, False),
        (0.1979, 0.0100, False),  # however few the users, 1% is the end
    ],
)
def test_a_loss_within_one_standard_error_is_forgiven_up_to_one_percent(
    ndcg: float, error: float, kept: bool
) -> None:
    variants = measured(int4_int4={"ndcg": ndcg, "ndcg_error": error})
    assert chosen(variants) == (("int4", "int4") if kept else ("int8", "int4"))
    assert loses(variants, SMALLEST)  # so a fine-tuned one is tried as well


@pytest.mark.parametrize(("append_ms", "kept"), [(0.44, True), (0.46, False)])
def test_a_quarter_of_a_millisecond_is_not_noticed(append_ms: float, kept: bool) -> None:
    fast = [replace(variant, append_ms=0.2) for variant in measured()]
    slower = [
        replace(v, append_ms=append_ms) if (v.tower, v.rows) == ("int4", "int4") else v
        for v in fast
    ]
    assert chosen(slower) == (("int4", "int4") if kept else ("int8", "int4"))


def test_where_every_small_one_is_worse_the_full_one_is_shipped() -> None:
    worse = {f"{p.tower}_{p.rows}": {"ndcg": 0.1} for p in PRECISIONS if p != FULL}
    assert chosen(measured(**worse)) == ("fp32", "float32")


def test_a_fine_tuned_one_takes_part() -> None:
    variants = measured(int4_int4={"ndcg": 0.15})
    assert loses(variants, SMALLEST)
    assert not loses(measured(), SMALLEST)
    plain = next(v for v in variants if (v.tower, v.rows) == ("int4", "int4"))
    aware = replace(plain, training="aware", ndcg=0.2)
    assert choose([*variants, aware]) is aware
    assert chosen([*variants, replace(aware, ndcg=0.16)]) == ("int8", "int4")
