"""Results are written and read without loss, and strictly."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from pocketrec_bench.errors import ResultFormatError
from pocketrec_bench.figures import Latency
from pocketrec_bench.results import Result, from_json, to_json


def test_a_result_comes_back_whole(result: Result) -> None:
    text = to_json(result)
    assert "\n" not in text
    assert from_json(text) == result
    assert next(iter(json.loads(text))) == "schema"


def test_what_was_not_measured_comes_back_as_none(result: Result) -> None:
    bare = replace(result, energy=None, accuracy=None, bandwidth=None)
    assert from_json(to_json(bare)) == bare


def test_quantiles_are_by_nearest_rank() -> None:
    # By hand: 10 values; p50 is the 5th, p90 the 9th, p99 the 10th.
    found = Latency.of([7.0, 1, 2, 3, 4, 5, 6, 8, 9, 20])
    assert found == Latency(10, 1.0, 6.5, 5.0, 9.0, 20.0, 20.0)
    assert Latency.of([0.5]) == Latency(1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5)
    with pytest.raises(ValueError, match="no times"):
        Latency.of([])


def _set(path: str, value: Any) -> Any:
    def change(document: dict[str, Any]) -> None:
        *parents, key = path.split(".")
        for parent in parents:
            document = document[parent]
        document[key] = value

    return change


def _drop(path: str) -> Any:
    def change(document: dict[str, Any]) -> None:
        *parents, key = path.split(".")
        for parent in parents:
            document = document[parent]
        del document[key]

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set("schema", "pocketrec.bench_result/2"), "has schema 'pocketrec.bench_result/2'"),
        (_drop("schema"), "has schema None"),
        (_drop("memory.peak_bytes"), "result.memory lacks 'peak_bytes'"),
        (_set("memory.swap_bytes", 3), "'swap_bytes', which this version does not know"),
        (_set("memory.peak_bytes", 1.0), "result.memory.peak_bytes is 1.0; it must be an integer"),
        (_set("memory.peak_bytes", True), "result.memory.peak_bytes is True"),
        (_set("settings.quick", 0), "result.settings.quick is 0; it must be true or false"),
        (_set("settings.scenario", "burst"), "it must be one of single-stream"),
        (_set("settings.scenario", ["offline"]), "it must be one of single-stream"),
        (_set("settings.devices", "cpu"), "result.settings.devices is 'cpu'; it must be a list"),
        (_set("settings.devices", ["cpu", 1]), "result.settings.devices[1] is 1"),
        (_set("throughput_qps", "7"), "result.throughput_qps is '7'; it must be a number"),
        (_set("throughput_qps", None), "result.throughput_qps is None"),
        (_set("latency", None), "result.latency is None; it must be an object"),
        (_set("latency.count", 0), "result.latency: count is 0"),
        (_set("latency.p50_s", 9.0), "they must not fall"),
        (_set("slices", []), "slices are empty"),
        (_set("valid", False), "valid is False with 0 reasons"),
        (_set("reasons", ["too short"]), "valid is True with 1 reasons"),
    ],
)
def test_a_changed_document_is_refused(result: Result, change: Any, message: str) -> None:
    document = json.loads(to_json(result))
    change(document)
    with pytest.raises(ResultFormatError, match=re.escape(message)):
        from_json(json.dumps(document))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not the JSON"),
        ("[]", "result is a list"),
        ('{"schema": 1, "schema": 2}', "twice"),
        ('{"schema": NaN}', "NaN is no JSON number"),
        ('{"schema": 1e999}', "too large a number"),
        (b"\xff{}", "not the JSON"),
    ],
)
def test_what_is_no_strict_json_is_refused(text: str | bytes, message: str) -> None:
    with pytest.raises(ResultFormatError, match=re.escape(message)):
        from_json(text)


def test_a_number_that_json_cannot_say_is_not_written(result: Result) -> None:
    with pytest.raises(ResultFormatError, match="cannot be written"):
        to_json(replace(result, throughput_qps=float("nan")))
