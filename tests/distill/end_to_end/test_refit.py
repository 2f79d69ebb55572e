"""`--refit`: what is measured held events out, what is shipped learned them."""

import csv
import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pocketrec_distill.config import load_config
from pocketrec_distill.models.trend import Followed
from pocketrec_distill.pipeline.blending import BlendChoice
from pocketrec_distill.pipeline.models import RunModels
from pocketrec_distill.pipeline.prepare import prepare
from pocketrec_distill.pipeline.refit import Refitted
from pocketrec_distill.pipeline.stages import RunDirectory
from pocketrec_distill.pipeline.trending import Trend
from pocketrec_distill.serving import read_teacher
from pocketrec_runtime import Engine, read_bundle

from .conftest import RINGS, USERS, Workplace, invoke, make_workplace


def with_news(place: Workplace) -> None:
    """Every user ends with an item that nobody meets earlier: only the newest events know it."""
    with place.interactions.open(encoding="utf-8") as file:
        rows = list(csv.reader(file))
    last = {row[0]: row for row in rows[1:]}
    news = [[user, f"{item[0]}-news", str(int(time) + 1)] for user, item, time in last.values()]
    lines = [",".join(row) for row in [*rows, *news]]
    place.interactions.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with place.items.open("a", encoding="utf-8") as file:
        file.writelines(f"{ring}-news,News,none\n" for ring in range(RINGS))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, llm_folder: Path) -> Workplace:
    """A workplace after a measured run, without refit."""
    place = make_workplace(tmp_path_factory.mktemp("refit"), llm_folder)
    with_news(place)
    result = place.distill("--json")
    assert result.exit_code == 0, result.stderr
    return place


@pytest.fixture(scope="module")
def refit(place: Workplace) -> tuple[Workplace, dict[str, Any], str]:
    """The same once more with --refit and --teacher-out, what it reported and what it said."""
    folder = place.bundle.parent
    again = replace(place, bundle=folder / "refitted")
    result = again.distill("--json", "--refit", "--teacher-out", str(folder / "teacher"))
    assert result.exit_code == 0, result.stderr
    return again, json.loads(result.stdout), result.stderr


def rank_of_news(bundle: Path) -> float:
    """Mean place of a ring's news after four of its items."""
    engine = Engine.open(bundle)
    places = []
    for ring in range(RINGS):
        answer = engine.recommend([f"{ring}-{item}" for item in (4, 5, 6, 7)], k=29)
        places.append([item.item_id for item in answer.items].index(f"{ring}-news"))
    return float(np.mean(places))


def test_the_bundle_knows_what_the_measured_one_cannot(
    place: Workplace, refit: tuple[Workplace, dict[str, Any], str]
) -> None:
    again, _, _ = refit
    assert rank_of_news(place.bundle) > 8
    assert rank_of_news(again.bundle) < 4


def test_figures_and_choices_are_those_of_the_measured_run(
    place: Workplace, refit: tuple[Workplace, dict[str, Any], str]
) -> None:
    again, report, said = refit
    measured = json.loads(invoke(*("distill", *place.arguments(), "--json")).stdout)
    assert report["test"] == measured["test"]
    assert report["blend"] == measured["blend"]
    assert "refit" not in measured
    of_the_measured = [line for line in said.splitlines() if not line.startswith("refit: ")]
    assert not re.search("peak memory", "\n".join(of_the_measured))
    assert not [
        line for line in said.splitlines() if re.match("refit: (linear|blend|quanti)", line)
    ]
    before, after = (read_bundle(bundle).contents for bundle in (place.bundle, again.bundle))
    assert after.calibration == before.calibration
    assert after.deferral == before.deferral
    assert after.model == before.model
    assert after.metrics == before.metrics
    assert after.user_tower != before.user_tower
    assert report["seconds"]["refit"] > 0


def test_passes_are_those_that_were_kept(
    refit: tuple[Workplace, dict[str, Any], str],
) -> None:
    again, _, _ = refit
    for stage in ("control", "teacher", "student"):
        curves = [
            json.loads(path.read_text("utf-8"))
            for path in again.run_dir.glob(f"{stage}-*/curve.json")
        ]
        measured, whole = sorted(curves, key=lambda curve: -max(row["ndcg"] for row in curve))
        assert len(whole) == next(row["epoch"] for row in measured if row["kept"])
        assert whole[-1]["kept"]


def test_the_blend_is_that_of_the_measured_run(workplace: Workplace) -> None:
    """Nothing is made for it: it is not chosen once more."""
    config = load_config(workplace.config)
    config = replace(config, run=replace(config.run, refit=True))
    data = prepare(workplace.interactions, workplace.items, config, lambda _line: None)
    measured = RunModels(data, config, RunDirectory(workplace.run_dir, lambda _line: None))
    vars(measured)["blend_choice"] = BlendChoice((0.0, 1.0, 0.5, 2.0, 0.0), nearest=True)
    vars(measured)["trend"] = Trend(0.7, half_life=1_000.0)
    again = Refitted(measured)
    assert again.blend_choice == measured.blend_choice
    assert again.trend == measured.trend
    # An hour is an hour, over whatever time events stand.
    assert again.data.span > measured.data.span


def test_a_refitted_bundle_follows_the_trend_of_every_event(
    refit: tuple[Workplace, dict[str, Any], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trend = Trend(2.0, half_life=500.0)
    monkeypatch.setattr("pocketrec_distill.pipeline.models.chosen_trend", lambda _models: trend)
    place = replace(refit[0], bundle=tmp_path / "bundle")
    result = place.distill("--json", "--refit")
    assert result.exit_code == 0, result.stderr
    bundle = read_bundle(place.bundle)
    followed = Followed.of(bundle.manifest.provenance)
    assert followed is not None
    assert "refit" in bundle.manifest.provenance
    config = load_config(place.config)
    config = replace(config, run=replace(config.run, refit=True))
    whole = prepare(place.interactions, place.items, config, lambda _line: None).whole
    assert whole is not None
    catalogue = bundle.contents.catalogue
    expected = np.float32(followed.weight / 2.0) * trend.bias(whole)
    np.testing.assert_allclose(catalogue.bias, expected, rtol=1e-4, atol=1e-6)


def test_every_event_is_counted(refit: tuple[Workplace, dict[str, Any], str]) -> None:
    again, report, _ = refit
    with again.interactions.open(encoding="utf-8") as file:
        counts = Counter(row["item_id"] for row in csv.DictReader(file))
    events = sum(counts.values())
    assert report["refit"] == {"events": events, "measured": report["data"]["training_events"]}
    assert report["refit"]["measured"] == events - 2 * USERS
    bundle = read_bundle(again.bundle)
    assert bundle.manifest.provenance["refit"] == report["refit"]
    teacher, _ = read_teacher(again.bundle.parent / "teacher")
    for catalogue in (bundle.contents.catalogue, teacher.catalogue):
        shares = dict(zip(catalogue.ids, catalogue.popularity.tolist(), strict=True))
        assert shares == pytest.approx({item: n / events for item, n in counts.items()}, abs=1e-7)
    assert [part.weight for part in teacher.parts] == list(filter(None, report["blend"].values()))


def test_the_terminal_says_what_the_figures_are_of(
    refit: tuple[Workplace, dict[str, Any], str],
) -> None:
    again, report, _ = refit
    found = again.distill("--refit").stdout
    assert f"bundle was made once more from all {report['refit']['events']:,}" in found
    assert "<h2>Refit</h2>" in (again.run_dir / "report.html").read_text("utf-8")


def test_a_failed_gate_ships_what_was_measured(
    place: Workplace, refit: tuple[Workplace, dict[str, Any], str], tmp_path: Path
) -> None:
    again, _, _ = refit
    text = again.config.read_text("utf-8").replace("enforce = false", "retention = 9.0")
    config = tmp_path / "config.toml"
    config.write_text(text, encoding="utf-8")
    result = replace(again, config=config, bundle=tmp_path / "out").distill("--json", "--refit")
    assert result.exit_code == 7, result.stderr
    assert "refit" not in json.loads(result.stdout)
    failed = read_bundle(tmp_path / "out.failed").contents
    assert failed.user_tower == read_bundle(place.bundle).contents.user_tower


def test_refit_takes_every_event_and_cold_items_take_some_away(workplace: Workplace) -> None:
    text = workplace.config.read_text("utf-8").replace("[run]\n", "[run]\ncold_share = 0.1\n")
    workplace.config.write_text(text, encoding="utf-8")
    result = workplace.distill("--refit")
    assert result.exit_code != 0
    assert "cold_share 0.1" in result.stderr
    assert not workplace.bundle.exists()


def test_clicks_have_no_refit(workplace: Workplace) -> None:
    result = invoke(
        "distill", "--impressions", str(workplace.items), "--out", str(workplace.bundle), "--refit"
    )
    assert result.exit_code != 0
    assert "--refit go with --interactions" in result.stderr
