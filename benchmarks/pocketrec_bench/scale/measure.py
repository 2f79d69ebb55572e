"""Measures every axis, fits it, checks the method of prediction here, and predicts."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

from pocketrec_bench.card.build import this_build
from pocketrec_bench.device import DeviceCard
from pocketrec_bench.measure.bandwidth import read_bytes_s
from pocketrec_bench.scale import axes
from pocketrec_bench.scale.fit import Fit, at, fit_growth, relative_line
from pocketrec_bench.scale.predict import DeviceClass, Roofline, predict, roofline_s
from pocketrec_bench.scale.report import AxisName, AxisResult, Check, ScaleReport
from pocketrec_runtime import Engine, read_bundle
from pocketrec_runtime.bundle import Bundle
from pocketrec_runtime.errors import InputError
from pocketrec_runtime.scan.exact import quick_rows
from pocketrec_runtime.selftest import self_test
from pocketrec_runtime.towers import RunSettings

ITEMS = (1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000)
HISTORY = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000)
USERS = (10, 30, 100, 300, 1_000, 3_000, 10_000)
_SCALE_BYTES = 4


@dataclass(frozen=True)
class ScalePlan:
    """What is measured.

    Attributes:
        items: Sizes of the catalogue, ascending.
        history: Lengths of the history and of the stream of events.
        users: How many users' states are kept.
        rounds: Independent rounds, at least two; intervals come from them.
        run: Backend and devices; one thread, the second is measured for the check.
        devices: To predict.
        seed: Of everything that is drawn.
    """

    items: tuple[int, ...] = ITEMS
    history: tuple[int, ...] = HISTORY
    users: tuple[int, ...] = USERS
    rounds: int = 7
    run: RunSettings = field(default_factory=RunSettings)
    devices: tuple[DeviceClass, ...] = ()
    seed: int = 7

    def __post_init__(self) -> None:
        if self.rounds < 2:
            raise InputError(f"rounds is {self.rounds}; give 2 or more")
        if self.run.threads != 1:
            raise InputError("scale is measured on one thread; leave threads at 1")
        for name in ("items", "history", "users"):
            sizes: tuple[int, ...] = getattr(self, name)
            if len(sizes) < 3 or list(sizes) != sorted(set(sizes)) or sizes[0] < 1:
                raise InputError(f"{name} is {sizes}; give three or more sizes, ascending")


def measure_scale(
    path: Path, plan: ScalePlan, device: DeviceCard, *, say: Callable[[str], None]
) -> ScaleReport:
    """The report of a bundle on this device.

    Args:
        path: A bundle.
        plan: What to measure.
        device: This device; its usable cores decide whether two threads can be checked.
        say: Takes lines about the progress.

    Raises:
        BundleError: The bundle is refused.
        InputError: It does not have the backend that is asked for.
    """
    measured_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    bundle = read_bundle(path)
    engine = Engine(bundle, plan.run)
    self_test(engine, bundle.contents.golden)
    before = read_bytes_s(1)
    found, two = _axes(bundle, engine, plan, device, say)
    items, append = found[0], found[2]
    here = max(before, read_bytes_s(1))
    roofline = roofline_of(items, device, here)
    append_s = at(append.fit, bundle.contents.model.window)
    return ScaleReport(
        measured_at=measured_at,
        bundle=path.resolve().name,
        fingerprint=engine.fingerprint,
        width=bundle.contents.model.width,
        window=bundle.contents.model.window,
        backend=engine.backend.backend,
        commit=this_build().commit,
        read_bytes_s=here,
        axes=found,
        roofline=roofline,
        checks=_checks(items, two, device, here),
        predictions=tuple(
            predict(roofline, append_s, size, other)
            for other in plan.devices
            for size in plan.items
            if size in (plan.items[0], 10_000, 100_000, plan.items[-1])
        ),
    )


def roofline_of(items: AxisResult, device: DeviceCard, read_bytes_s_: float) -> Roofline:
    """The scan's roofline from the sizes whose rows fit caches, and those whose rows do not.

    Where no size is larger than the caches, the scan is taken to reach what memory gives.
    """
    sizes, costs = items.sizes, _medians(items)
    large = _last_cache(device)
    # Few rows are all scored exactly at once, which is another law.
    few = quick_rows(round(items.bytes_each) - _SCALE_BYTES)
    coarse = [n for n, size in enumerate(sizes) if size > few] or list(range(len(sizes)))
    inside = [n for n in coarse if sizes[n] * items.bytes_each <= large / 2] or coarse[:2]
    outside = [n for n in coarse if sizes[n] * items.bytes_each >= 1.5 * large]
    fixed, compute = relative_line([sizes[n] for n in inside], [costs[n] for n in inside])
    share = 1.0
    if outside:
        place = outside[-1]
        reached = sizes[place] * items.bytes_each / max(costs[place] - fixed, 1e-9)
        share = min(1.0, reached / read_bytes_s_)
    return Roofline(fixed, compute, items.bytes_each, share)


def _axes(
    bundle: Bundle, engine: Engine, plan: ScalePlan, device: DeviceCard,
    say: Callable[[str], None],
) -> tuple[tuple[AxisResult, ...], axes.Series | None]:  # fmt: skip
    say("items")
    items = axes.items_axis(bundle, engine, plan.items, plan.rounds, threads=1, seed=plan.seed)
    two = None
    if (device.cores_usable or 1) > 1:
        say("items, two threads")
        two = axes.items_axis(
            bundle, engine, plan.items[-3:], plan.rounds, threads=2, seed=plan.seed
        )
    say("length of history")
    long = axes.long_engine(bundle, plan.run, max(plan.history) + 1)
    prefill, append = axes.history_axis(long, plan.history, plan.rounds, plan.seed)
    say("events")
    events = axes.events_axis(engine, plan.history, plan.rounds, plan.seed)
    say("users")
    users = axes.users_axis(engine, plan.users, plan.rounds, plan.seed)
    named: tuple[tuple[AxisName, axes.Series], ...] = (
        ("items", items), ("history, prefill", prefill), ("history, append", append),
        ("events", events), ("users", users),
    )  # fmt: skip
    return tuple(_result(name, series) for name, series in named), two


def _result(name: AxisName, series: axes.Series) -> AxisResult:
    fit = fit_growth(series.sizes, series.rounds)
    return AxisResult(name, series.sizes, series.rounds, fit, series.bytes_each)


def _checks(
    items: AxisResult, two: axes.Series | None, device: DeviceCard, here: float
) -> tuple[Check, ...]:
    """The largest catalogue from all smaller ones, and two threads from one."""
    largest = items.sizes[-1]
    smaller = _without_last(items)
    self_ = DeviceClass("this device", here / 1e9, cores=1, core_speed=1.0)
    roofline = roofline_of(smaller, device, here)
    found = [
        Check("the largest catalogue, by the roofline of smaller ones", largest,
              roofline_s(roofline, largest, self_)[0], _medians(items)[-1]),
        Check("the largest catalogue, by the line fitted to smaller ones", largest,
              at(smaller.fit, largest), _medians(items)[-1]),
    ]  # fmt: skip
    if two is not None:
        both = replace(self_, bandwidth_gb_s=read_bytes_s(2) / 1e9, cores=2)
        whole = roofline_of(items, device, here)
        for place, size in enumerate(two.sizes):
            measured = median(row[place] for row in two.rounds)
            found.append(Check("two threads, by the roofline of one", size,
                               roofline_s(whole, size, both)[0], measured))  # fmt: skip
    return tuple(found)


def _without_last(items: AxisResult) -> AxisResult:
    rounds = tuple(row[:-1] for row in items.rounds)
    sizes = items.sizes[:-1]
    fit: Fit = fit_growth(sizes, rounds) if len(sizes) > 2 else items.fit
    return replace(items, sizes=sizes, rounds=rounds, fit=fit)


def _medians(axis: AxisResult) -> list[float]:
    return [median(row[place] for row in axis.rounds) for place in range(len(axis.sizes))]


def _last_cache(device: DeviceCard) -> int:
    """Bytes of the largest cache; 8 MiB where the device does not say."""
    return max((cache.size_bytes for cache in device.caches), default=8 << 20)
