"""A team's own teachers, end to end: trained or given, asked, measured, and learned from."""

import json
import shutil
from pathlib import Path

import numpy as np

from pocketrec_distill.serving import open_teacher, read_teacher

from .conftest import RING, FinishedRun, Result, Workplace, invoke

MORE = """
[teachers]
candidates = 6
positions = 100
queries = 40

[classifier]
base = "{bert}"
item_tokens = 16
max_tokens = 60
epochs = 1
examples = 30
precision = "fp32"

[yes_no]
base = "{llm}"
prompt = "{{history}}>{{candidate}}?"
yes = ["Y"]
no = ["N"]
item_tokens = 20
max_tokens = 120
examples = 20
precision = "fp32"
"""


def copied(finished: FinishedRun, folder: Path, more: str = "") -> Workplace:
    """A workplace that keeps the stages of the finished run, with other settings."""
    config = folder / "config.toml"
    config.write_text(finished.place.config.read_text(encoding="utf-8") + more, encoding="utf-8")
    run_dir = Path(shutil.copytree(finished.place.run_dir, folder / "run"))
    place = finished.place
    return Workplace(place.interactions, place.items, config, folder / "bundle", run_dir)


def distilled(place: Workplace, *words: str) -> Result:
    result = invoke("distill", *place.arguments(), "--json", *words)
    assert result.exit_code in (0, 7), result.stderr
    return result


def write_oracle(place: Workplace, path: Path) -> None:
    """Scores at every moment from a model that knows the rings; as Parquet."""
    import pyarrow as pa
    from pyarrow import parquet

    rows: dict[str, list] = {"user_id": [], "item_id": [], "position": [], "score": []}
    seen: dict[str, int] = {}
    for line in place.interactions.read_text(encoding="utf-8").splitlines()[1:]:
        user, item, _ = line.split(",")
        seen[user] = seen.get(user, 0) + 1
        ring, place_in_ring = item.split("-")
        for candidate in range(RING):
            right = candidate == (int(place_in_ring) + 1) % RING
            rows["user_id"].append(user)
            rows["item_id"].append(f"{ring}-{candidate}")
            rows["position"].append(seen[user])
            rows["score"].append(6.0 if right else -2.0)
    parquet.write_table(pa.table(rows), path)


def test_teachers_of_a_team_are_trained_asked_and_measured(
    finished: FinishedRun, tmp_path: Path, bert_folder: Path, llm_folder: Path
) -> None:
    place = copied(finished, tmp_path, MORE.format(bert=bert_folder, llm=llm_folder))
    table = tmp_path / "scores.parquet"
    write_oracle(place, table)
    words = ["--teacher", "table", "--teacher-path", str(table)]
    words += ["--teacher", "classifier", "--teacher", "yes_no", "--teacher-out"]
    result = distilled(place, *words, str(tmp_path / "served"))
    figures = {row["kind"]: row for row in json.loads(result.stdout)["teachers"]}
    assert list(figures) == ["table", "classifier", "yes_no"]
    assert [row["known"] for row in figures.values()][1:] == [1.0, 1.0]
    assert 0.5 < figures["table"]["known"] < 1
    # The table knows the rings, and what it knows is believed.
    assert figures["table"]["own"] > 0.1
    assert figures["table"]["ndcg_after"] >= figures["table"]["ndcg_before"] > 0.5
    assert "of 30 items" in result.stderr
    assert "90 of 90 training users" in result.stderr
    made = {line.split(":")[0] for line in result.stderr.splitlines() if "peak memory" in line}
    refined = {f"refine-{kind}" for kind in figures}
    assert refined | {"classifier", "yes-no", "labels", "student"} <= made
    assert not {"teacher", "control", "blend", "ease", "sasrec"} & made
    for stage in ("classifier", "yes-no"):
        (curve,) = place.run_dir.glob(f"{stage}-*/curve.json")
        assert json.loads(curve.read_text(encoding="utf-8"))[0]["pairs"] > 30
    # One position of each of the 90 real sequences is asked about; of the synthetic ones, those few
    # that happen to be a real one.
    changed, rows = changed_labels(finished.place.run_dir, place.run_dir)
    assert 45 < changed < 180 < rows
    # Those that are believed are served; a table knows users, and a server is asked by nobody.
    contents, _ = read_teacher(tmp_path / "served")
    believed = [kind for kind in ("classifier", "yes_no") if figures[kind]["own"] > 0]
    assert [part.kind for part in contents.refiners] == believed
    for part in contents.refiners:
        assert (part.candidates, part.say.own) == (6, figures[part.kind]["own"])
    open_teacher(tmp_path / "served")
    # A run that goes on from kept labels still says what each teacher brought.
    again = json.loads(distilled(place, *words[:-1]).stdout)
    assert again["teachers"] == list(figures.values())
    # Refitted, they are asked about every event, and believed as far as they were.
    whole = distilled(place, *words, str(tmp_path / "whole"), "--refit")
    assert json.loads(whole.stdout)["teachers"] == list(figures.values())
    made = {line.split(": ")[1] for line in whole.stderr.splitlines() if "peak memory" in line}
    assert {"classifier", "yes-no", "labels", "student"} <= made
    assert not refined & made
    refitted, _ = read_teacher(tmp_path / "whole")
    assert [part.say for part in refitted.refiners] == [part.say for part in contents.refiners]


def changed_labels(before: Path, after: Path) -> tuple[int, int]:
    """Labelled positions that the teachers changed, and all labelled ones."""
    (old,) = before.glob("labels-*/logits.npy")
    (new,) = (p for p in after.glob("labels-*/logits.npy") if p.parent.name != old.parent.name)
    first, second = np.load(old).astype(np.float32), np.load(new).astype(np.float32)
    return int((np.abs(first - second).max(axis=1) > 1e-3).sum()), len(first)


def test_a_table_without_a_path_is_asked_for(finished: FinishedRun, tmp_path: Path) -> None:
    place = copied(finished, tmp_path)
    result = invoke("distill", *place.arguments(), "--teacher", "table")
    assert result.exit_code == 5, result.stderr
    assert "[score_table] path is ''; give the path" in result.stderr
