"""benchmarks/README.md: its table is that of the results, and what it links to is there."""

import re
from dataclasses import replace
from pathlib import Path

from pocketrec_bench.card import Build, Card
from pocketrec_bench.device import DeviceCard
from pocketrec_bench.ledger import append_to_ledger

from .conftest import BENCHMARKS, load

table = load("device/table.py")
made_up = load(Path(__file__).resolve().parents[1] / "bench" / "conftest.py")


def test_the_page_holds_the_results() -> None:
    page = table.PAGE.read_text(encoding="utf-8")
    assert page == table.render(page, BENCHMARKS / "results")


def test_what_the_page_links_to_is_there() -> None:
    links = re.findall(r"\]\(([^)#]+)", table.PAGE.read_text(encoding="utf-8"))
    assert len(links) > 5
    assert [link for link in links if not (BENCHMARKS / link).exists()] == []


def test_a_row_by_hand(tmp_path: Path) -> None:
    result = made_up.result.__wrapped__()
    slower = replace(result, latency=replace(result.latency, p50_s=3.4e-4))
    device = DeviceCard(cpu="Cortex-A72", architecture="arm64")
    card = Card(Build("0.1.0", "c0ffee" * 6 + "abcd"), device, (result, slower, result))
    append_to_ledger(tmp_path / "films.jsonl", [card])
    text = table.render(f"a\n{table.OPEN}old\n{table.CLOSE}b\n", tmp_path)
    *_, last = table.table(tmp_path).splitlines()
    assert last == (
        "| films | films.bundle, onnx float32, cached | 0.330 | 0.550 | 3.0% | ndcg@10 0.1261 | "
        f"93 | Cortex-A72, {device.fingerprint[:8]} | c0ffeec | "
        "`pocketrec bench films.bundle --replicate 3 --interactions TABLE` |"
    )
    assert text == f"a\n{table.OPEN}\n{table.table(tmp_path)}\n{table.CLOSE}b\n"
    assert table.table(tmp_path / "none") == "No valid run has been recorded yet.\n"
