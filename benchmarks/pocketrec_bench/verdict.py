"""Whether figures may be quoted, and why not."""

from pocketrec_bench.figures import Accuracy, Load, LoadGenRun, Overhead
from pocketrec_bench.results import Settings

OVERHEAD_LIMIT = 0.05
"""Largest share of a figure that timer or harness may be in a valid result."""


def reasons_against(
    settings: Settings,
    loadgen: LoadGenRun,
    accuracy: Accuracy | None,
    overhead: Overhead,
    load: Load,
) -> tuple[str, ...]:
    """Why a result is not valid, in words; empty where it is."""
    found = []
    if settings.quick:
        found.append("a quick run: too short to be quoted")
    if not loadgen.valid:
        found += [f"LoadGen: {reason}" for reason in loadgen.reasons or ("INVALID",)]
    if accuracy is None:
        found.append("no accuracy run: speed without quality says nothing")
    elif not accuracy.passed:
        found.append(f"the accuracy run failed: {accuracy.metric} is {accuracy.value:.4f}")
    if overhead.share > overhead.limit:
        found.append(
            f"timer and harness are {overhead.share:.1%} of the fastest figure; the limit is "
            f"{overhead.limit:.0%}"
        )
    return (*found, *_busy(load))


def _busy(load: Load) -> list[str]:
    found = []
    if load.other_cores is not None and load.other_cores > load.limit_cores:
        found.append(
            f"the machine was busy: others took {load.other_cores:.2f} cores, and the run could "
            f"spare {load.limit_cores:.2f}"
        )
    if load.waited_share is not None and load.waited_share > load.waited_limit:
        found.append(
            f"the run waited for a core {load.waited_share:.1%} of its time; the limit is "
            f"{load.waited_limit:.0%}"
        )
    return found
