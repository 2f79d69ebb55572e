"""The fixed keys of a report: names, types, and no number that is not a number."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from pocketrec_runtime.errors import PocketrecError

REPORT_SCHEMA = "pocketrec.report/1"

#: Every report measures these, on both splits; more models may stand beside them.
MODELS = (
    "teacher",
    "student_fp32",
    "shipped",
    "control",
    "sasrec",
    "ease",
    "itemitem",
    "popularity",
)
#: Each lies in [0, 1]. The first also has a 95% confidence interval, `ndcg@10_ci95`.
METRICS = ("ndcg@10", "recall@10", "mrr@10", "coverage@10")
INTERVAL = "ndcg@10_ci95"
SPLITS = ("test", "validation")
#: Of the gate and of each of its checks.
STATUSES = ("passed", "failed", "undecided")

Report = Mapping[str, Any]


class ReportError(PocketrecError, ValueError):
    """A report lacks a fixed key, or holds a value of the wrong type or range at one."""


def validate_report(report: Report) -> None:
    """Check the fixed keys of `report`, and that everything else in it is plain, finite JSON.

    Raises:
        ReportError: naming the first key that is wrong, what it holds and what it should hold.
    """
    _check_json(report, "report")
    for split in SPLITS:
        models = _mapping(report, split, "report")
        for model in MODELS:
            _mapping(models, model, f"report.{split}")
        for model in models:
            _check_model(_mapping(models, model, f"report.{split}"), f"report.{split}.{model}")
    _check_comparison(_mapping(report, "retention", "report"), "ratio", "report.retention")
    for index, row in enumerate(_sequence(report, "comparisons", "report")):
        _check_named_comparison(row, f"report.comparisons[{index}]")
    _check_costs(report)
    _check_latency(_mapping(report, "latency_ms", "report"))
    if "gate" in report:
        _check_gate(_mapping(report, "gate", "report"))


def _check_model(measured: Report, where: str) -> None:
    for metric in METRICS:
        _number(measured, metric, where, low=0.0, high=1.0)
    low, high = _interval(measured, INTERVAL, where)
    if not 0.0 <= low <= measured["ndcg@10"] <= high <= 1.0:
        raise ReportError(
            f"{where}.{INTERVAL} is [{low}, {high}]; it must hold ndcg@10, {measured['ndcg@10']}"
        )
    if "users" in measured:
        _integer(measured, "users", where)


def _check_comparison(row: Report, key: str, where: str) -> None:
    _number(row, key, where)
    low, high = _interval(row, "ci95", where)
    if low > high:
        raise ReportError(f"{where}.ci95 is [{low}, {high}]; the lower end comes first")


def _check_named_comparison(row: object, where: str) -> None:
    if not isinstance(row, Mapping):
        raise ReportError(f"{where} is {row!r}; it must be an object")
    for name in ("a", "b"):
        if not isinstance(row.get(name), str):
            raise ReportError(f"{where}.{name} is {row.get(name)!r}; it must name a model")
    _check_comparison(row, "difference", where)


def _check_costs(report: Report) -> None:
    for key in ("parameters", "peak_memory_bytes"):
        for name in _mapping(report, key, "report"):
            _integer(report[key], name, f"report.{key}")
    for stage in _mapping(report, "seconds", "report"):
        _number(report["seconds"], stage, "report.seconds", low=0.0)
    _integer(report, "bundle_bytes", "report")


def _check_latency(latency: Report) -> None:
    for model in ("teacher", "shipped"):
        timed = _mapping(latency, model, "report.latency_ms")
        for quantile in ("median", "p95"):
            _number(timed, quantile, f"report.latency_ms.{model}", low=0.0)
    _number(latency, "ratio", "report.latency_ms", low=0.0)


def _check_gate(gate: Report) -> None:
    _choice(gate, "status", STATUSES, "report.gate")
    for index, check in enumerate(_sequence(gate, "checks", "report.gate")):
        where = f"report.gate.checks[{index}]"
        if not isinstance(check, Mapping):
            raise ReportError(f"{where} is {check!r}; it must be an object")
        for name in ("name", "rival"):
            if not isinstance(check.get(name), str):
                raise ReportError(f"{where}.{name} is {check.get(name)!r}; it must be a name")
        _choice(check, "measure", ("ratio", "difference"), where)
        _choice(check, "status", STATUSES, where)
        _number(check, "threshold", where)
        _integer(check, "users", where)
        if _get(check, "value", where) is not None:
            _check_comparison(check, "value", where)


def _choice(parent: Report, key: str, choices: Sequence[str], where: str) -> None:
    if _get(parent, key, where) not in choices:
        raise ReportError(f"{where}.{key} is {parent[key]!r}; it must be {' or '.join(choices)}")


def _check_json(value: object, where: str) -> None:
    """Refuse what `json.dumps(allow_nan=False)` would refuse, and name the place."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise ReportError(f"{where} has the key {key!r}; keys must be strings")
            _check_json(inner, f"{where}.{key}")
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            _check_json(inner, f"{where}[{index}]")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise ReportError(f"{where} is {value}; numbers must be finite")
    elif not isinstance(value, str | int | None):
        raise ReportError(f"{where} is a {type(value).__name__}; it must be plain JSON")


def _get(parent: Report, key: str, where: str) -> object:
    if key not in parent:
        raise ReportError(f"{where}.{key} is missing")
    return parent[key]


def _mapping(parent: Report, key: str, where: str) -> Report:
    value = _get(parent, key, where)
    if not isinstance(value, Mapping):
        raise ReportError(f"{where}.{key} is {value!r}; it must be an object")
    return value


def _sequence(parent: Report, key: str, where: str) -> Sequence[object]:
    value = _get(parent, key, where)
    if not isinstance(value, list | tuple):
        raise ReportError(f"{where}.{key} is {value!r}; it must be a list")
    return value


def _number(
    parent: Report, key: str, where: str, *, low: float = -math.inf, high: float = math.inf
) -> float:
    value = _get(parent, key, where)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        bounds = "" if low == -math.inf else f" of at least {low:g}"
        bounds += "" if high == math.inf else f" and at most {high:g}"
        raise ReportError(f"{where}.{key} is {value!r}; it must be a number{bounds}")
    return float(value)


def _integer(parent: Report, key: str, where: str) -> int:
    value = _get(parent, key, where)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ReportError(f"{where}.{key} is {value!r}; it must be a whole number, not negative")
    return value


def _interval(parent: Report, key: str, where: str) -> tuple[float, float]:
    pair = _sequence(parent, key, where)
    ends = [end for end in pair if isinstance(end, int | float) and not isinstance(end, bool)]
    if len(pair) != 2 or len(ends) != 2:
        raise ReportError(f"{where}.{key} is {list(pair)!r}; it must be [low, high]")
    return float(ends[0]), float(ends[1])
