"""`pocketrec bench` from end to end, quick runs on small bundles."""

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pocketrec_bench.grid.points import grid_from_json
from pocketrec_bench.results import from_document, from_json
from pocketrec_runtime import read_bundle, record_golden, write_bundle

RINGS = Path(__file__).parents[1] / "golden" / "v1_1" / "rings"
QUICK = ("--quick", "--seconds", "0.2")


def test_a_quick_run_measures_everything_and_is_not_valid(cli, tiny_bundle, tmp_path) -> None:
    out = tmp_path / "out"
    outcome = cli("bench", tiny_bundle, *QUICK, "--out", out, "--json")
    assert outcome.code == 0, outcome.err
    result = from_document(outcome.json)
    assert from_json((out / "result.json").read_text()) == result
    assert (out / "loadgen" / "load" / "mlperf_log_summary.txt").exists()
    assert not result.valid
    assert result.reasons[0].startswith("a quick run")
    assert result.subject.disk_bytes == sum(
        file.stat().st_size for file in tiny_bundle.rglob("*") if file.is_file()
    )
    assert (result.subject.items, result.subject.window) == (5, 6)
    assert (result.settings.backend, result.settings.division) == ("onnx", "cached")
    assert result.settings.history_events == 6
    assert result.accuracy.value == 1.0
    assert result.latency.count == result.loadgen.queries >= 64
    assert result.throughput_qps == pytest.approx(result.latency.count / result.duration_s)
    assert sum(each.count for each in result.slices) == result.latency.count
    stages = result.stages
    assert stages.imports.min_s > stages.append.p50_s
    assert stages.end_to_end.p50_s > stages.scan.p50_s
    assert 0 < result.memory.base_bytes < result.memory.resident_bytes <= result.memory.peak_bytes
    assert result.bandwidth.machine_bytes_s > 1e8
    assert result.overhead.harness_s > result.overhead.timer_s > 0


def test_the_text_says_all_of_it_and_held_out_events_are_the_queries(
    cli, tiny_bundle, tmp_path
) -> None:
    # Four items are seen, so that the fifth is the answer whatever its score.
    orders = (("x,y", "50", "漢字", "181", "عنصر"), ("50", "x,y", "عنصر", "181", "漢字"))
    rows = ["user_id,item_id,timestamp"]
    rows += [f'{u},"{item}",{t}' for u, items in enumerate(orders) for t, item in enumerate(items)]
    table = tmp_path / "events.csv"
    table.write_text("\n".join(rows), encoding="utf-8")
    outcome = cli(
        "bench", tiny_bundle, *QUICK, "--division", "uncached", "--interactions", table
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert "single-stream, uncached, onnx float32, float32 rows" in outcome.out
    assert "ndcg@10 1.0000, 100.00% of the reference's on 2 histories" in outcome.out
    assert "NOT VALID" in outcome.out
    for name in ("prefill", "append", "energy", "sustained", "bandwidth", "overhead", "others"):
        assert name in outcome.out


def test_every_backend_of_a_bundle_is_measured(cli) -> None:
    outcome = cli(
        "bench", RINGS, *QUICK, "--backend", "llama", "--cache", "float16",
        "--scenario", "multi-stream", "--streams", "3", "--json",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    settings = from_document(outcome.json).settings
    assert (settings.backend, settings.weights, settings.rows) == ("llama", "Q8_0", "int4")
    assert (settings.cache, settings.samples_per_query) == ("float16", 3)


def test_speed_without_quality_is_refused(cli, tmp_path) -> None:
    contents = read_bundle(RINGS).contents
    backwards = replace(contents.catalogue, rows=contents.catalogue.rows[::-1])
    # It answers its own golden queries: only a reference knows that it is broken.
    broken = record_golden(replace(contents, catalogue=backwards), [contents.catalogue.ids[:3]])
    write_bundle(tmp_path / "broken", broken)
    out = tmp_path / "out"
    outcome = cli("bench", tmp_path / "broken", *QUICK, "--out", out, "--reference", RINGS)
    assert outcome.code == 7
    assert "the accuracy run failed: agreement@10" in outcome.err
    assert not (out / "result.json").exists()


def test_a_damaged_bundle_is_refused_before_anything_is_measured(
    cli, tiny_bundle, tmp_path
) -> None:
    broken = shutil.copytree(tiny_bundle, tmp_path / "broken")
    path = broken / "user_tower.onnx"
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    outcome = cli("bench", broken, *QUICK)
    assert outcome.code == 3
    assert "user_tower.onnx is not what was sealed" in outcome.err


def test_without_loadgen_the_pip_command_is_the_answer(cli, tiny_bundle, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "mlperf_loadgen", None)
    outcome = cli("bench", tiny_bundle, *QUICK)
    assert outcome.code == 4
    assert 'pip install "pocketrec[bench]"' in outcome.err


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--seconds", "30"), 2, "a valid run lasts at least 60"),
        (("--queries", "100"), 2, "a valid run has at least 1024"),
        (("--quick", "--seconds", "0"), 2, "seconds is 0"),
        (("--quick", "--k", "0"), 2, "k is 0"),
        (("--quick", "--threads", "1000"), 2, "this process may use"),
        (("--quick", "--backend", "llama"), 2, "user_tower.gguf"),
        (("--quick", "--scenario", "server", "--target-qps", "1e9"), 7, "cannot be answered"),
        (
            ("--quick", "--scenario", "server", "--target-latency-ms", "1e-6"),
            7,
            "raise --target-latency-ms",
        ),
        (("--quick", "--seconds", "0.05", "--queries", "90000000"), 7, "give --seconds"),
    ],
)
def test_what_cannot_be_measured_is_said_plainly(cli, tiny_bundle, options, code, message) -> None:
    outcome = cli("bench", tiny_bundle, *options)
    assert (outcome.code, message in outcome.err) == (code, True), outcome.err


def test_the_group_shows_its_commands_and_takes_a_bundle_of_any_name(cli, tmp_path) -> None:
    assert "run" in cli("bench", "--help").out
    outcome = cli("bench", tmp_path / "run2", *QUICK)
    assert outcome.code == 3
    assert "no bundle at" in outcome.err


def test_a_result_that_is_not_valid_ends_with_7(cli, tiny_bundle, monkeypatch) -> None:
    measured = from_document(cli("bench", tiny_bundle, *QUICK, "--json").json)
    for reasons, code in (((), 0), (("the machine was busy",), 7)):
        judged = replace(measured, valid=not reasons, reasons=reasons)
        monkeypatch.setattr("pocketrec_bench.run.run_bench", lambda *_, found=judged, **__: found)
        outcome = cli("bench", tiny_bundle, "--json")
        assert outcome.code == code
        assert outcome.json["valid"] == (code == 0)


def test_a_grid_names_what_it_recommends(cli, tiny_bundle, tmp_path) -> None:
    axes = ("--items", "7", "--history", "3", "--seconds", "0.01")
    outcome = cli("bench", "--grid", tiny_bundle, *axes, "--out", tmp_path)
    assert outcome.code == 0, outcome.err
    assert "7 drawn" in outcome.out
    assert "recommended: bundle on onnx, 1 thread(s)\nof 1 ways to rank 5 items" in outcome.out
    stored = grid_from_json((tmp_path / "grid.json").read_text())
    assert [point.items for point in stored.points] == [5, 7]
    outcome = cli("bench", "grid", tiny_bundle, *axes, "--items", "x")
    assert (outcome.code, "--items is 'x'" in outcome.err) == (2, True)
