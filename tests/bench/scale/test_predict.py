"""Predictions by hand, and the roofline from made-up curves."""

import pytest

from pocketrec_bench.device import Cache, DeviceCard
from pocketrec_bench.scale import (
    AxisResult,
    DeviceClass,
    Prediction,
    Roofline,
    fit_growth,
    predict,
    read_device_class,
)
from pocketrec_bench.scale.measure import ScalePlan, roofline_of
from pocketrec_bench.scale.predict import roofline_s
from pocketrec_runtime.errors import InputError

ROOF = Roofline(fixed_s=3e-5, compute_s=2e-9, bytes_each=100.0, share=0.8)
PHONE = DeviceClass("phone", bandwidth_gb_s=10.0, cores=2, core_speed=0.5)


def test_a_prediction_by_hand() -> None:
    # A million items: computing 1e6 * 2 ns / (0.5 * 2) = 2 ms, reading 1e8 bytes at 8 GB/s =
    # 12.5 ms, fixed 0.03 / 0.5 = 0.06 ms.
    assert predict(ROOF, 1e-4, 1_000_000, PHONE) == Prediction(
        PHONE, 1_000_000, pytest.approx(12.56e-3), pytest.approx(2e-4), "memory"
    )


def test_what_bounds_a_scan() -> None:
    fast = DeviceClass("d", bandwidth_gb_s=1000.0, cores=1, core_speed=1.0)
    assert roofline_s(ROOF, 1_000_000, fast) == (pytest.approx(2.03e-3), "compute")
    assert roofline_s(ROOF, 100, fast) == (pytest.approx(3.02e-5), "fixed cost")


def test_the_roofline_of_a_made_up_machine() -> None:
    """1 MiB of cache, 10 GB/s; 2 ns an item inside, 100 bytes at 8 GB/s = 12.5 ns outside."""
    sizes = (4_096, 5_000, 100_000, 1_000_000)
    costs = [1e-5 + 2e-9 * size for size in sizes[:2]] + [1e-5 + 12.5e-9 * s for s in sizes[2:]]
    rounds = ((*costs,), (*costs,))
    axis = AxisResult("items", sizes, rounds, fit_growth(sizes, rounds), 100.0)
    device = DeviceCard("cpu", "x86_64", caches=(Cache(2, "unified", 1 << 20),))
    found = roofline_of(axis, device, 10e9)
    assert found.fixed_s == pytest.approx(1e-5)
    assert found.compute_s == pytest.approx(2e-9)
    assert (found.bytes_each, found.share) == (100.0, pytest.approx(0.8))
    large = DeviceCard("cpu", "x86_64", caches=(Cache(3, "unified", 1 << 30),))
    assert roofline_of(axis, large, 10e9).share == 1.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("phone:12", DeviceClass("phone", 12.0, 1, 0.5)),
        ("phone:12.5:4", DeviceClass("phone", 12.5, 4, 0.5)),
        ("a b:8:2:0.25", DeviceClass("a b", 8.0, 2, 0.25)),
    ],
)
def test_a_device_class_is_read(text: str, expected: DeviceClass) -> None:
    assert read_device_class(text) == expected


@pytest.mark.parametrize(
    "text",
    ["phone", "", ":1", "p:x", "p:1:2.5", "p:1:1:y", "p:0", "p:-1", "p:nan", "p:inf", "p:1:0",
     "p:1:1:0", "p:1:1:1:1", "\x1b:1", "x" * 61 + ":1"],
)  # fmt: skip
def test_what_is_no_device_class_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        read_device_class(text)


@pytest.mark.parametrize(
    "wrong", [{"rounds": 1}, {"items": (1, 2)}, {"users": (3, 2, 1)}, {"history": (0, 1, 2)}]
)
def test_a_plan_that_says_nothing_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError):
        ScalePlan(**wrong)  # type: ignore[arg-type]
