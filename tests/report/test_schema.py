"""The fixed keys: a report that lacks one, or holds nonsense at one, is never written."""

import copy
import json
import math
import os

import pytest

from pocketrec_distill.report import METRICS, MODELS, ReportError, validate_report, write_report


def put(report, path, value):
    """A copy with one value replaced, or removed where the value is `...`."""
    changed = copy.deepcopy(report)
    parent = changed
    for key in path[:-1]:
        parent = parent[key]
    if value is ...:
        del parent[path[-1]]
    else:
        parent[path[-1]] = value
    return changed


def test_a_whole_report_passes(report) -> None:
    validate_report(report)


def test_optional_keys_are_optional(report) -> None:
    for key in ("history", "parity", "quantization", "data", "config", "device"):
        report = put(report, [key], ...)
    del report["test"]["blend"]
    validate_report(report)


@pytest.mark.parametrize("split", ["test", "validation"])
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("key", [*METRICS, "ndcg@10_ci95"])
def test_every_metric_of_every_model_is_needed(report, split, model, key) -> None:
    with pytest.raises(ReportError, match=rf"report\.{split}\.{model}\.{key} is missing"):
        validate_report(put(report, [split, model, key], ...))


@pytest.mark.parametrize(
    "key",
    [
        "test",
        "validation",
        "retention",
        "comparisons",
        "parameters",
        "bundle_bytes",
        "seconds",
        "peak_memory_bytes",
        "latency_ms",
    ],
)
def test_every_top_level_key_is_needed(report, key) -> None:
    with pytest.raises(ReportError, match=rf"report\.{key} is missing"):
        validate_report(put(report, [key], ...))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["test", "ease", "ndcg@10"], math.nan, r"report\.test\.ease\.ndcg@10 is nan"),
        (["test", "ease", "mrr@10"], 1.5, "at most 1"),
        (["test", "ease", "mrr@10"], True, "must be a number"),
        (["test", "ease", "users"], -1, "whole number"),
        (["test", "ease", "ndcg@10_ci95"], [0.2, 0.3], "must hold ndcg@10"),
        (["test", "ease", "ndcg@10_ci95"], [0.1], r"must be \[low, high\]"),
        (["test", "blend", "recall@10"], "high", "must be a number"),
        (["retention", "ci95"], [1.2, 0.9], "lower end comes first"),
        (["retention", "p"], math.inf, r"report\.retention\.p is inf"),
        (["comparisons", 0, "a"], 3, "must name a model"),
        (["comparisons", 0], "x", "must be an object"),
        (["bundle_bytes"], 1.5, "whole number"),
        (["seconds", "encode"], -1, "at least 0"),
        (["peak_memory_bytes", "encode"], "much", "whole number"),
        (["latency_ms", "shipped", "p95"], ..., "p95 is missing"),
        (["config"], {"path": b"x"}, r"report\.config\.path is a bytes"),
        (["config"], {3: "x"}, "keys must be strings"),
        (["history", 2, "loss"], math.nan, r"report\.history\[2\]\.loss is nan"),
    ],
)
def test_nonsense_is_refused_by_name(report, path, value, message) -> None:
    with pytest.raises(ReportError, match=message):
        validate_report(put(report, path, value))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["gate"], "passed", r"report\.gate is 'passed'; it must be an object"),
        (
            ["gate", "status"],
            "fine",
            r"report\.gate\.status is 'fine'; it must be passed or failed",
        ),
        (["gate", "status"], ..., r"report\.gate\.status is missing"),
        (["gate", "checks", 1], 3, r"report\.gate\.checks\[1\] is 3"),
        (["gate", "checks", 0, "rival"], ..., r"checks\[0\]\.rival is None"),
        (["gate", "checks", 0, "measure"], "p", r"measure is 'p'; it must be ratio or difference"),
        (["gate", "checks", 0, "status"], True, r"checks\[0\]\.status is True"),
        (["gate", "checks", 0, "threshold"], None, r"threshold is None; it must be a number"),
        (["gate", "checks", 0, "users"], 1.5, r"users is 1\.5"),
        (["gate", "checks", 0, "ci95"], [2, 1], "the lower end comes first"),
        (["gate", "checks", 0, "value"], ..., r"value is missing"),
    ],
)
def test_nonsense_in_the_gate_is_refused(report, gate, path, value, message) -> None:
    validate_report({**report, "gate": gate})
    with pytest.raises(ReportError, match=message):
        validate_report(put({**report, "gate": gate}, path, value))


def test_both_files_are_written(report, tmp_path) -> None:
    json_path, html_path = write_report(report, tmp_path / "new" / "folder")
    document = json.loads(json_path.read_text(encoding="utf-8"))
    assert next(iter(document.items())) == ("schema", "pocketrec.report/1")
    assert {key: document[key] for key in report} == report
    assert html_path.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert sorted(path.name for path in json_path.parent.iterdir()) == [
        "report.html",
        "report.json",
    ]


def test_permissions_follow_the_umask(report, tmp_path) -> None:
    before = os.umask(0o027)
    try:
        paths = write_report(report, tmp_path)
        (tmp_path / "plain").touch()
    finally:
        os.umask(before)
    assert {path.stat().st_mode for path in paths} == {(tmp_path / "plain").stat().st_mode}


def test_a_refused_report_leaves_the_old_one(report, tmp_path) -> None:
    json_path, _ = write_report(report, tmp_path)
    before = json_path.read_bytes()
    with pytest.raises(ReportError):
        write_report(put(report, ["bundle_bytes"], None), tmp_path)
    assert json_path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 2


def test_a_failed_write_leaves_nothing_behind(report, tmp_path) -> None:
    (tmp_path / "report.json").mkdir()
    (tmp_path / "report.json" / "in_the_way").touch()
    with pytest.raises(OSError, match=r"report\.json"):
        write_report(report, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]
