"""`update` on a real bundle: new events are learned, old ones kept, the lineage is told."""

import dataclasses
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from pocketrec.cli.app import main
from pocketrec_distill.config import load_config
from pocketrec_distill.errors import ConfigError, DataError, NotRecoverableError
from pocketrec_distill.export import quantize_model
from pocketrec_distill.pipeline.update import update_bundle
from pocketrec_distill.update.data import arrange, queries_of, read_tables
from pocketrec_distill.update.recover import check_recovered, recovered_student
from pocketrec_distill.update.replay import made_up_histories
from pocketrec_distill.update.settings import UpdateSettings
from pocketrec_runtime import Engine, read_bundle

from .conftest import GOLDEN, none_new


@pytest.fixture(scope="module")
def contents():
    return read_bundle(GOLDEN).contents


def test_the_student_comes_back_from_the_bundle(contents) -> None:
    student = recovered_student(contents, none_new(contents), 0.0)
    check_recovered(student, contents, tolerance=1e-4)
    engine = Engine.open(GOLDEN)
    history = [3, 4, 5, 17]
    with torch.inference_mode():
        table = student.item_vectors()
        user = student(table[history][None])[0, -1].numpy()
    np.testing.assert_allclose(user, engine.prefill(history)[1], atol=1e-4)


def test_a_student_that_answers_otherwise_is_refused(contents) -> None:
    student = recovered_student(contents, none_new(contents), 0.0)
    with torch.no_grad():
        student.blocks[0].attention.key.weight.mul_(-1.0)
    with pytest.raises(NotRecoverableError, match="away from the bundle"):
        check_recovered(student, contents)


def test_quantized_activations_are_refused(contents) -> None:
    quantized = dataclasses.replace(contents, user_tower=quantize_model(contents.user_tower))
    with pytest.raises(NotRecoverableError, match="activations are quantized"):
        recovered_student(quantized, none_new(contents), 0.0)


def test_made_up_histories_walk_as_the_student_learned(contents) -> None:
    student = recovered_student(contents, none_new(contents), 0.0)
    drawn = made_up_histories(student, contents.catalogue.popularity, 200, 5, seed=0)
    assert [len(history) for history in drawn] == [5] * 200
    assert all(len(set(history.tolist())) == 5 for history in drawn)
    steps = [
        b - a == 1 and a // 10 == b // 10
        for history in drawn
        for a, b in pairwise(history.tolist())
    ]
    assert np.mean(steps) > 0.5
    again = made_up_histories(student, contents.catalogue.popularity, 200, 5, seed=0)
    assert all((a == b).all() for a, b in zip(drawn, again, strict=True))


def test_events_are_cut_by_what_they_are_for(contents, tables) -> None:
    config = load_config(tables / "config.toml")
    found = read_tables(
        contents.catalogue, tables / "new.csv", tables / "items.csv", tables / "old.csv", config
    )
    assert found.items.item_ids[30:] == ("0-10", "0-11", "0-12", "9-9")
    events = arrange(found, 50, 0)
    held_out = len(events.new_validation) + len(events.new_test)
    assert 10 < held_out < 40
    assert len(events.old_validation) + len(events.old_test) == 90
    # No last old event is learned, and no held-out new one.
    assert max(len(sequence) for sequence in events.replay) == 4
    learned = sum(int(told[1:].sum()) for told in events.targets)
    assert learned == 60 * 4 - held_out
    assert events.counts.sum() == 60 * 5 + 90 * 5


def test_old_events_are_context_and_no_target(contents, tmp_path, tables) -> None:
    (tmp_path / "old.csv").write_text("user_id,item_id,timestamp\nu,0-1,1\nu,0-2,2\nu,0-3,3\n")
    (tmp_path / "new.csv").write_text("user_id,item_id,timestamp\nu,0-4,4\nu,0-5,5\n")
    config = load_config(tables / "config.toml")
    found = read_tables(
        contents.catalogue, tmp_path / "new.csv", None, tmp_path / "old.csv", config
    )
    for seed in range(20):
        events = arrange(found, 50, seed)
        if not len(events.new_validation) and not len(events.new_test):
            break
    assert [sequence.tolist() for sequence in events.sequences] == [[1, 2, 3, 4, 5]]
    assert events.targets[0].tolist() == [0, 0, 0, 1, 1]


def test_items_are_those_that_the_catalogue_knows(contents, tmp_path, tables) -> None:
    rows = [f"u,x{step},0-{step},{step}\n" for step in range(1, 6)]
    for name, part in (("old.csv", rows[:3]), ("new.csv", rows[3:])):
        (tmp_path / name).write_text("user_id,asin,parent_asin,timestamp\n" + "".join(part))
    config = load_config(tables / "config.toml")
    found = read_tables(
        contents.catalogue, tmp_path / "new.csv", None, tmp_path / "old.csv", config
    )
    assert found.new.item_ids == ("0-4", "0-5")
    assert found.old is not None
    assert found.old.item_ids == ("0-1", "0-2", "0-3")


def test_a_repeat_is_not_asked_for() -> None:
    asked = [(np.array([1, 2], np.int32), 2), (np.array([1], np.int32), 3)]
    assert queries_of(asked).targets.tolist() == [3]


@pytest.fixture(scope="module")
def updated(tables) -> Path:
    arguments = ["--interactions", tables / "new.csv", "--items", tables / "items.csv", "--config",
                 tables / "config.toml", "--replay", tables / "old.csv"]  # fmt: skip
    out = tables / "updated"
    assert main(["update", str(GOLDEN), "--out", str(out), *map(str, arguments)]) == 0
    return out


def test_new_events_are_learned_and_old_ones_kept(updated: Path) -> None:
    path = updated.with_name("updated-report") / "update-report.json"
    report = json.loads(path.read_text(encoding="utf-8"))
    new, old = report["new"], report["old"]
    assert new["after"]["ndcg@10"] > new["before"]["ndcg@10"] + 0.2
    assert new["difference"]["ci95"][0] > 0
    assert old["before"]["ndcg@10"] > 0.7
    assert old["ratio"]["value"] > 0.95
    assert report["old_measured_on"] == "old users"
    assert report["new_items"] == 4
    answer = Engine.open(updated).recommend(["0-8", "0-9", "0-10"], k=1)
    assert answer.items[0].item_id == "0-11"
    assert answer.items[0].title == "Walk 11, quiet forest"


def test_the_lineage_is_in_the_bundle(updated: Path) -> None:
    parent, child = read_bundle(GOLDEN).manifest, read_bundle(updated).manifest
    assert child.provenance["parent"] == parent.fingerprint
    assert child.provenance["lineage"] == [parent.fingerprint]
    assert child.provenance["updated_with"] == {"events": 300, "items": 4}
    assert child.metrics["task"] == "update"


def test_an_updated_bundle_can_be_updated_from_itself_alone(updated: Path, tables) -> None:
    """No old data at all: the student is kept by histories that it makes up."""
    said: list[str] = []
    report = update_bundle(
        updated,
        tables / "old.csv",
        None,
        tables / "twice",
        config=load_config(tables / "config.toml"),
        say=said.append,
    )
    assert report["old_measured_on"] == "histories made up from the old student"
    assert report["old"]["ratio"]["value"] > 0.95
    lineage = read_bundle(tables / "twice").manifest.provenance["lineage"]
    assert lineage == [read_bundle(path).manifest.fingerprint for path in (GOLDEN, updated)]
    # What the first update taught is still there.
    answer = Engine.open(tables / "twice").recommend(["0-8", "0-9", "0-10"], k=1)
    assert answer.items[0].item_id == "0-11"


def test_nothing_to_learn_from_is_named_and_leaves_nothing(tables, tmp_path) -> None:
    (tmp_path / "one.csv").write_text("user_id,item_id,timestamp\nu,0-1,1\nv,0-2,1\n")
    config = load_config(tables / "config.toml")
    with pytest.raises(DataError, match="--replay"):
        update_bundle(GOLDEN, tmp_path / "one.csv", None, tmp_path / "out", config=config)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [("epochs", -1), ("learning_rate", float("nan")), ("keep", 1.5), ("teacher_weight", -0.1),
     ("replay", -1.0), ("dropout", 1.0)],
)  # fmt: skip
def test_wrong_settings_are_named(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=rf"\[update\] {name} is "):
        UpdateSettings(**{name: value})
