"""`distill --impressions` on a made-up world, and what the bundle then says of new texts."""

import json
from pathlib import Path

import numpy as np
import pytest

from pocketrec.cli.app import main
from pocketrec_distill.clicks.export import export_click_user_tower
from pocketrec_distill.clicks.head import ClickHead
from pocketrec_distill.clicks.inputs import on_texts, read_clicks
from pocketrec_distill.config import DistillConfig, load_config
from pocketrec_distill.errors import DataError
from pocketrec_distill.evaluation.clicks import evaluate_clicks, score_impressions
from pocketrec_distill.pipeline.impressions import distill_clicks, learned_from
from pocketrec_runtime import Engine, read_bundle
from pocketrec_runtime.towers import OnnxUserTower

from .conftest import write_world

SETTINGS = """
[run]
threads = 1
[text]
template = "{title}"
[clicks]
encoder = "{folder}"
width = 16
epochs = 10
catalogue_pieces = 320
folds = 3
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory, encoder_folder):
    folder = tmp_path_factory.mktemp("clicks")
    write_world(folder)
    config = folder / "config.toml"
    config.write_text(SETTINGS.replace("{folder}", str(encoder_folder)), encoding="utf-8")
    code = main(
        ["distill", "--impressions", str(folder / "train" / "behaviors.tsv"), "--items",
         str(folder / "news.tsv"), "--out", str(folder / "bundle"), "--config", str(config),
         "--run-dir", str(folder / "run")]
    )  # fmt: skip
    assert code == 0
    return folder


def test_what_is_for_rankings_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_world(tmp_path)
    config = tmp_path / "config.toml"
    config.write_text("[run]\nrefit = true\n", encoding="utf-8")
    code = main(
        ["distill", "--impressions", str(tmp_path / "train" / "behaviors.tsv"), "--items",
         str(tmp_path / "news.tsv"), "--out", str(tmp_path / "bundle"), "--config", str(config)]
    )  # fmt: skip
    assert code != 0
    assert "[run] refit goes with --interactions" in capsys.readouterr().err
    assert not (tmp_path / "bundle").exists()


def test_what_is_shown_without_a_text_is_said(tmp_path: Path) -> None:
    behaviors, _, news = write_world(tmp_path)
    config = DistillConfig()
    whole = read_clicks(behaviors, news, config.data)
    assert on_texts(whole.items, whole.parts["train"]) == ()
    rows = news.read_text(encoding="utf-8").splitlines(keepends=True)
    news.write_text("".join(rows[10:]), encoding="utf-8")
    few = read_clicks(behaviors, news, config.data)
    shown = {item for part in few.parts["train"].candidates for item in part}
    lacking = sorted(shown & {f"N{item}" for item in range(10)})
    (note,) = on_texts(few.items, few.parts["train"])
    assert note.startswith(f"{len(lacking)} of {len(shown)} items stand in impressions only, such")
    news.write_text("".join(row.replace("N", "M", 1) for row in rows), encoding="utf-8")
    with pytest.raises(DataError, match=r"none of the .* items of the impressions stands"):
        distill_clicks(behaviors, news, tmp_path / "bundle", config=config, say=lambda _line: None)
    assert not (tmp_path / "bundle").exists()


def test_new_texts_are_told_apart(run: Path) -> None:
    """A reader of football is asked about items that no impression of the training part showed."""
    engine = Engine.open(run / "bundle")
    texts = ["football goal striker live today", "senate vote election live today"]
    football = engine.score_texts([f"N{item}" for item in (0, 3, 6)], texts)
    politics = engine.score_texts([f"N{item}" for item in (1, 4, 7)], texts)
    assert football.items[0].probability > 0.5 > football.items[1].probability
    assert politics.items[1].probability > 0.5 > politics.items[0].probability
    unknown = engine.score_texts(["x"], texts, history_texts={"x": "football goal striker monday"})
    assert unknown.items[0].probability > unknown.items[1].probability


def test_the_valid_part_is_measured_from_text(run: Path) -> None:
    config = load_config(run / "config.toml")
    measured = evaluate_clicks(Engine.open(run / "bundle"), run, None, "valid", config)
    assert measured["candidates_scored_from"] == "text"
    assert measured["group_auc"] > 0.95
    assert measured["log_loss"] < 0.7 * measured["log_loss_of_base_rate"]
    assert measured["candidates_left_out"] == 0
    report = json.loads((run / "run" / "click-report.json").read_text(encoding="utf-8"))
    assert report["schema"] == "pocketrec.click_report/1"
    assert report["train_out_of_fold"]["student"]["group_auc"] > 0.95


def test_scores_are_those_of_the_engine(run: Path) -> None:
    config = load_config(run / "config.toml")
    data = read_clicks(run / "valid" / "behaviors.tsv", run / "news.tsv", config.data)
    part = data.parts["train"].take([0, 7])
    assert data.items is not None
    titles = dict(zip(data.items.item_ids, data.items.columns["title"], strict=True))
    engine = Engine.open(run / "bundle")
    scored, _ = score_impressions(engine, part, titles)
    for row in range(2):
        answer = engine.score_texts(
            part.histories[row], [titles[item] for item in part.candidates[row]]
        )
        rows = scored.impressions == row
        assert scored.scores[rows] == pytest.approx([item.score for item in answer.items], abs=1e-5)
        assert scored.probabilities[rows] == pytest.approx(
            [item.probability for item in answer.items], abs=1e-6
        )


def test_a_second_run_keeps_the_vectors(run: Path, capfd) -> None:
    code = main(
        ["distill", "--impressions", str(run), "--out", str(run / "again"), "--config",
         str(run / "config.toml"), "--run-dir", str(run / "run"), "--json"]
    )  # fmt: skip
    out, err = capfd.readouterr()
    assert code == 0
    assert "click-tower: kept" in err
    found = json.loads(out)
    assert found["valid_from_text"]["group_auc"] > 0.95
    assert read_bundle(run / "again").manifest.metrics["task"] == "clicks"


def test_evaluate_prints_the_metrics(run: Path, capfd) -> None:
    words = ["evaluate", str(run / "bundle"), "--impressions", str(run)]
    assert main([*words, "--config", str(run / "config.toml"), "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert found["schema"] == "pocketrec.evaluate_clicks/1"
    assert (found["part"], found["groups"]) == ("valid", "impressions")
    rows = ["--impressions", str(run / "train" / "behaviors.tsv"), "--json"]
    assert main(["evaluate", str(run / "bundle"), *rows]) == 0
    assert json.loads(capfd.readouterr().out)["candidates_scored_from"] == "catalogue rows"


@pytest.mark.parametrize("more", [[], ["--interactions", "pyproject.toml"]])
def test_one_kind_of_data_is_asked_for(run: Path, capfd, more) -> None:
    given = [] if not more else ["--impressions", str(run)]
    for command in (["distill", "--out", "b"], ["evaluate", str(run / "bundle")]):
        assert main([*command, *given, *more]) == 2
        assert "either --interactions or --impressions" in capfd.readouterr().err


def test_the_user_tower_is_the_head_and_reads_in_parts(run: Path) -> None:
    rng = np.random.default_rng(0)
    head = ClickHead(
        1.5, rng.normal(size=(16, 16)).astype(np.float32), rng.normal(size=16).astype(np.float32), 0
    )
    shape = read_bundle(run / "bundle").contents.model
    tower = OnnxUserTower(export_click_user_tower(head), shape)
    events = rng.normal(size=(2, 5, 16)).astype(np.float32)
    whole, _ = tower.run(events)
    np.testing.assert_allclose(whole, head.user_vectors(events.mean(axis=1)), atol=1e-4)
    _, past = tower.run(events[:, :3])
    parts, _ = tower.run(events[:, 3:], past)
    np.testing.assert_allclose(parts, whole, atol=1e-4)


def test_large_logs_are_thinned_evenly_in_time(run: Path) -> None:
    config = load_config(run / "config.toml")
    part = read_clicks(run, None, config.data).parts["train"]
    thin = learned_from(part, 60)
    assert len(thin) == 20
    assert (np.diff(thin.times) >= 0).all()
    assert len(learned_from(part, 10_000)) == len(part) == 60
