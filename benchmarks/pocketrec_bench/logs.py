"""LoadGen's log files, read as what they are: JSON, not prose."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from pocketrec_bench.errors import BenchError
from pocketrec_bench.figures import LoadGenRun

DETAIL, ACCURACY = "mlperf_log_detail.txt", "mlperf_log_accuracy.json"
_MARK = ":::MLLOG "


def read_verdict(folder: Path) -> LoadGenRun:
    """What LoadGen says of a load.

    Raises:
        BenchError: The log is missing, or lacks what a finished load writes.
    """
    entries = _entries(folder / DETAIL)
    last = {entry["key"]: entry["value"] for entry in entries}
    for key in ("loadgen_version", "result_validity", "result_query_count"):
        if key not in last:
            raise BenchError(f"{folder / DETAIL} lacks {key!r}; LoadGen did not finish its load")
    return LoadGenRun(
        version=str(last["loadgen_version"]),
        valid=last["result_validity"] == "VALID",
        reasons=tuple(_reasons(entries)),
        queries=int(last["result_query_count"]),
        p50_s=_seconds(last.get("result_50.00_percentile_latency_ns")),
        p90_s=_seconds(last.get("result_90.00_percentile_latency_ns")),
        p99_s=_seconds(last.get("result_99.00_percentile_latency_ns")),
        early_stopping_p90_s=_seconds(last.get("early_stopping_latency_ss")),
        early_stopping_p99_s=_seconds(last.get("early_stopping_latency_ms")),
    )


def read_answers(folder: Path, total: int) -> list[tuple[int, ...]]:
    """The item indices that were answered to each sample, by its number.

    Raises:
        BenchError: The log is missing or damaged, or does not hold one answer for each sample.
    """
    path = folder / ACCURACY
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        answers = {
            int(entry["qsl_idx"]): tuple(
                np.frombuffer(bytes.fromhex(entry["data"]), "<i4").tolist()
            )
            for entry in entries
        }
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise BenchError(f"{path} is not what LoadGen writes: {error}") from error
    if len(entries) != total or set(answers) != set(range(total)):
        raise BenchError(f"{path} holds {len(entries)} answers; {total} samples were issued")
    return [answers[sample] for sample in range(total)]


def _entries(path: Path) -> list[dict[str, Any]]:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        return [json.loads(line[len(_MARK) :]) for line in lines if line.startswith(_MARK)]
    except (OSError, ValueError) as error:
        raise BenchError(f"{path} is not what LoadGen writes: {error}") from error


_CONDITIONS = {
    "result_min_duration_met": "the least duration was not reached",
    "result_min_queries_met": "the least number of queries was not reached",
    "early_stopping_met": "too few queries for its early-stopping bound of the percentile",
}


def _reasons(entries: list[dict[str, Any]]) -> list[str]:
    found = []
    for entry in entries:
        if entry["key"] in _CONDITIONS and entry["value"] is False:
            found.append(_CONDITIONS[entry["key"]])
        elif entry["key"] == "result_invalid_reason" or entry["metadata"]["is_error"]:
            found.append(" ".join(str(entry["value"]).split()))
    return list(dict.fromkeys(reason for reason in found if reason))


def _seconds(nanoseconds: Any) -> float | None:
    """Seconds; LoadGen writes 0 where it has too few queries for an estimate."""
    return float(nanoseconds) / 1e9 if nanoseconds else None
