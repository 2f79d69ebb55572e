"""A run with cold items, words beside the states, and id dropout: from tables to the report."""

import json
from pathlib import Path

from .conftest import RING, RINGS, make_workplace


def test_a_run_with_cold_items(tmp_path: Path, llm_folder: Path) -> None:
    place = make_workplace(tmp_path, llm_folder)
    text = place.config.read_text(encoding="utf-8")
    text = text.replace("[run]\n", "[run]\ncold_share = 0.2\n")
    text = text.replace("[student]\n", "[text]\nlexical = 8\n\n[student]\nid_dropout = 0.2\n")
    place.config.write_text(text, encoding="utf-8")
    result = place.distill("--json")
    assert result.exit_code in (0, 7), result.stderr  # so few items may not pass the gate
    report = json.loads(result.stdout)
    assert "item-words" in report["seconds"]
    assert report["data"]["items"] == RING * RINGS - 6
    cold = report["cold"]
    assert cold["items"] == 6
    assert cold["queries"] > 20
    for model in ("shipped", "tfidf"):
        # With six cold items, all are among the first ten.
        assert cold[model]["recall@10_among_cold"]["value"] == 1
        assert 0 < cold[model]["recall@10_among_all"]["value"] <= 1
    assert set(report["test_by_item"]) == {"warm"}
    page = (place.run_dir / "report.html").read_text(encoding="utf-8")
    assert "Cold items" in page
