"""`tune`: every way in which this device can run a bundle, held to the ranking, then timed."""

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from pocketrec_runtime.bundle import Bundle
from pocketrec_runtime.cores import usable_cores
from pocketrec_runtime.engine import Engine
from pocketrec_runtime.errors import BundleError, InputError
from pocketrec_runtime.selftest import self_test
from pocketrec_runtime.towers import RunSettings, backends_of
from pocketrec_runtime.towers.llama_context import llama_devices
from pocketrec_runtime.towers.providers import available_devices
from pocketrec_runtime.tuning.agreement import kendall_tau, top_overlap
from pocketrec_runtime.tuning.profile import Profile, device_fingerprint

TOP = 10
_WARM_CALLS = 5
_MIN_ROUNDS = 3
_SYNTHETIC_QUERIES = 48
# Of the providers that run a whole model; the others only wrap one that runs elsewhere.
_NOT_TRIED = frozenset({"azure"})


@dataclass(frozen=True)
class TuneSettings:
    """How long is measured, and how well a candidate must rank.

    Attributes:
        seconds: Time for the timings, all candidates together.
        min_overlap: Least mean top-10 overlap with the reference.
        min_tau: Least mean Kendall tau with the reference.
        margin: A rounded candidate must be faster than every exact one by this factor, and more
            threads than fewer.
    """

    seconds: float = 4.0
    min_overlap: float = 0.99
    min_tau: float = 0.95
    margin: float = 1.05

    def __post_init__(self) -> None:
        if not 0 < self.seconds <= 600:
            raise InputError(f"seconds is {self.seconds}; give more than 0 and at most 600")
        if not (0 <= self.min_overlap <= 1 and -1 <= self.min_tau <= 1 and self.margin >= 1):
            raise InputError("give min_overlap in 0 to 1, min_tau in -1 to 1, margin from 1 on")


@dataclass(frozen=True)
class Measured:
    """One candidate.

    Attributes:
        settings: How it runs.
        precision: How its file stores weights.
        exact: Whether weights and cache are float32.
        append_us: Median microseconds of one event more and the ten best items; 0 where it was
            not timed.
        overlap: Mean top-10 overlap with the reference.
        tau: Mean Kendall tau with the reference, over both top 10.
        verdict: "chosen", "passed", or why it was refused.
    """

    settings: RunSettings
    precision: str = ""
    exact: bool = True
    append_us: float = 0.0
    overlap: float = 0.0
    tau: float = 0.0
    verdict: str = "passed"

    def as_dict(self) -> dict[str, Any]:
        """The form that stands in profiles and JSON answers."""
        return asdict(self) | {"settings": self.settings.as_dict()}


@dataclass
class _Candidate:
    measured: Measured
    engine: Engine
    times: list[float] = field(default_factory=list)


def tune(bundle: Bundle, settings: TuneSettings | None = None) -> Profile:
    """The profile of a bundle on this device, with everything that was measured.

    The reference is float32 in ONNX Runtime on one thread, or in NumPy where the bundle has no
    ONNX tower. Queries are the golden ones and made-up histories. A candidate that fails its
    golden queries, ranks otherwise, or is rounded without being faster is refused.

    Raises:
        BundleError: Not even the reference runs.
    """
    settings = TuneSettings() if settings is None else settings
    queries = _queries(bundle)
    reference_settings = RunSettings(
        backend="numpy" if bundle.contents.user_tower is None else "onnx"
    )
    reference = Engine(bundle, reference_settings)
    self_test(reference, bundle.contents.golden)
    refused: list[Measured] = []
    running: list[_Candidate] = []
    for asked in candidates(bundle):
        candidate = _opened(bundle, asked, reference, queries, settings)
        if isinstance(candidate, Measured):
            refused.append(candidate)
        else:
            running.append(candidate)
    _time(running, max(queries, key=len), settings.seconds)
    timed = [
        replace(each.measured, append_us=float(np.median(each.times)) * 1e6) for each in running
    ]
    found = chosen(timed, settings.margin)
    best = next(each for each in found if each.verdict == "chosen")
    measured = [each.as_dict() for each in (*found, *refused)]
    return Profile(bundle.manifest.fingerprint, device_fingerprint(), best.settings, measured)


def candidates(bundle: Bundle) -> Iterator[RunSettings]:
    """Every way to run the bundle here: backends, devices, cache precisions, thread counts."""
    cores = usable_cores()
    counts = [count for count in (1, 2, 4, 8) if count <= cores]
    for backend in backends_of(bundle.contents):
        if backend == "numpy":
            yield RunSettings(backend="numpy")
        elif backend == "onnx":
            for threads in counts:
                yield RunSettings(backend="onnx", threads=threads)
            for device in set(available_devices()) - _NOT_TRIED - {"cpu"}:
                yield RunSettings(backend="onnx", providers=(device, "cpu"))
        else:
            for layers in (0, -1) if "gpu" in llama_devices() else (0,):
                for threads in counts:
                    for cache in ("float32", "float16"):
                        yield RunSettings("llama", ("cpu",), threads, cache, layers)


def chosen(timed: list[Measured], margin: float) -> list[Measured]:
    """The candidates with their verdicts, fastest first.

    Exact ones compete by time, fewer threads first within the margin. A rounded one must be
    faster than the best exact one by the margin, or it is refused: it would rank a little
    otherwise for nothing.
    """
    exact = [each for each in timed if each.exact]
    bar = min((each.append_us for each in exact), default=float("inf"))
    good = [each for each in timed if each.exact or each.append_us * margin <= bar]
    fastest = min(each.append_us for each in good)
    near = [each for each in good if each.append_us <= fastest * margin]
    best = min(near, key=lambda each: (not each.exact, each.settings.threads, each.append_us))
    found = []
    for each in sorted(timed, key=lambda each: each.append_us):
        verdict = "chosen" if each is best else "passed"
        if each not in good:
            verdict = "refused: rounded, and not faster"
        found.append(replace(each, verdict=verdict))
    return found


def _opened(
    bundle: Bundle,
    asked: RunSettings,
    reference: Engine,
    queries: list[list[int]],
    settings: TuneSettings,
) -> _Candidate | Measured:
    """A candidate that ranks as the reference does, or the reason why not."""
    try:
        engine = Engine(bundle, asked)
        self_test(engine, bundle.contents.golden)
    except (BundleError, InputError) as error:
        return Measured(asked, verdict=f"refused: {error}")
    account = engine.backend
    exact = account.precision in ("float32", "F32") and account.cache == "float32"
    overlap, tau = _agreement(reference, engine, queries)
    measured = Measured(asked, account.precision, exact, 0.0, overlap, tau)
    asked_for = {name.lower() for name in asked.providers} - {"cpu"}
    if asked_for and not asked_for & set(account.used):
        return replace(measured, verdict=f"refused: {', '.join(asked_for)} runs no operator")
    if overlap < settings.min_overlap or tau < settings.min_tau:
        return replace(
            measured, verdict=f"refused: ranks otherwise, overlap {overlap:.3f}, tau {tau:.3f}"
        )
    return _Candidate(measured, engine)


def _agreement(reference: Engine, engine: Engine, queries: list[list[int]]) -> tuple[float, float]:
    """Mean top-10 overlap and Kendall tau over the queries, seen items left out."""
    overlaps, taus = [], []
    for history in queries:
        vectors = [each.prefill(history)[1] for each in (reference, engine)]
        tops = [
            each.top_k(vector, TOP, exclude=history)[0]
            for each, vector in zip((reference, engine), vectors, strict=True)
        ]
        both = np.union1d(*tops)
        overlaps.append(top_overlap(*tops))
        first, second = (
            each.scores(vector)[both]
            for each, vector in zip((reference, engine), vectors, strict=True)
        )
        taus.append(kendall_tau(first, second))
    return float(np.mean(overlaps)), float(np.mean(taus))


def _time(running: list[_Candidate], history: list[int], seconds: float) -> None:
    """Times every candidate in turns, so that a busy moment of the device meets all of them.

    A user's events arrive one after the other: each call goes on from the state of the last.
    """
    half = max(1, len(history) // 2)
    starts = [each.engine.prefill(history[:half])[0] for each in running]
    started, rounds = time.perf_counter(), 0
    while rounds < _MIN_ROUNDS or time.perf_counter() - started < seconds:
        for each, state in zip(running, starts, strict=True):
            for call, item in enumerate(history[half:] or history):
                begun = time.perf_counter()
                state, vector = each.engine.append(state, item)
                each.engine.top_k(vector, TOP, exclude=state.seen)
                if rounds or call >= _WARM_CALLS:
                    each.times.append(time.perf_counter() - begun)
        rounds += 1


def _queries(bundle: Bundle) -> list[list[int]]:
    """The golden histories and made-up ones of up to the window, as item indices."""
    contents = bundle.contents
    generator = np.random.default_rng(0)
    queries = [
        [
            index
            for item in query.history
            if (index := contents.catalogue.index_of(item)) is not None
        ]
        for query in contents.golden.queries
    ]
    lengths = generator.integers(1, contents.model.window + 1, _SYNTHETIC_QUERIES)
    lengths[0] = contents.model.window
    queries += [generator.integers(0, contents.model.items, n).tolist() for n in lengths]
    return [query[-contents.model.window :] for query in queries]
