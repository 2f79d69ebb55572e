"""A bundle in every precision that is shipped: its student comes back, learns, and stays small."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from pocketrec.cli.app import main
from pocketrec_distill.config import load_config
from pocketrec_distill.errors import NotRecoverableError
from pocketrec_distill.evaluation.ranking import EngineScorer, ndcg_of
from pocketrec_distill.export import export_gguf, export_user_tower
from pocketrec_distill.export.stored import StoredForm, stored_floats, stored_form
from pocketrec_distill.models import TowerShape
from pocketrec_distill.models.llm_student import LlmStudent
from pocketrec_distill.pipeline.update import update_bundle
from pocketrec_distill.update.data import arrange, read_tables
from pocketrec_distill.update.form import BundleForm
from pocketrec_distill.update.recover import check_recovered, recovered_student
from pocketrec_runtime import (
    BundleContents,
    Engine,
    quantize_rows,
    read_bundle,
    record_golden,
    write_bundle,
)
from pocketrec_runtime.bundle import assemble
from pocketrec_runtime.gguf import check_tower, read_tower

from .conftest import GOLDEN, none_new

# bits of the tower, how they are decoded, rows, GGUF beside it
STORED = [
    (StoredForm(None), "float32", None),
    (StoredForm(None), "int8", "F16"),
    (StoredForm(8), "int8", "Q8_0"),
    (StoredForm(8, folded=False), "int4", None),
    (StoredForm(4), "int4", "Q4_0"),
    (StoredForm(4), "int8", None),
    (StoredForm(4, folded=False), "int8", "F32"),
]
every_form = pytest.mark.parametrize(("tower", "rows", "gguf"), STORED)


def stored_as(tower: StoredForm, rows: str, gguf: str | None = None) -> BundleContents:
    """The golden rings in another precision."""
    golden = read_bundle(GOLDEN).contents
    student = recovered_student(golden, none_new(golden), 0.0)
    vectors, scales = golden.catalogue.vectors, None
    if rows != "float32":
        vectors, scales = quantize_rows(vectors, 4 if rows == "int4" else 8)
    contents = dataclasses.replace(
        golden,
        model=dataclasses.replace(golden.model, rows=rows),
        catalogue=dataclasses.replace(golden.catalogue, rows=vectors, scales=scales),
        user_tower=tower.store(export_user_tower(student)),
        user_tower_gguf=None if gguf is None else export_gguf(student, 50, gguf),
    )
    return record_golden(contents, [list(query.history) for query in golden.golden.queries])


@every_form
def test_the_recovered_student_is_the_bundles(tower: StoredForm, rows: str, gguf: str) -> None:
    """Weights as the file decodes to, and user vectors and scores as the runtime's."""
    contents = stored_as(tower, rows, gguf)
    student = recovered_student(contents, none_new(contents), 0.0)
    kept, again = stored_floats(contents.user_tower), stored_floats(export_user_tower(student))
    assert {f"blocks.1.{part}" for part in ("attention_in", "feed_out")} <= kept.keys()
    for name, value in again.items():
        np.testing.assert_allclose(value, kept[name], rtol=1e-6, atol=1e-7)
    check_recovered(student, contents, tolerance=1e-4)
    engine = Engine(assemble(contents))
    for history in ([0], [3, 4, 5, 17], [29, 0, 11, 12, 13]):
        with torch.inference_mode():
            user = student(student.item_vectors()[history][None])[0, -1].numpy()
        found = engine.prefill(history)[1]
        print(f"{tower} {rows}: {np.abs(user - found).max():.1e}")  # noqa: T201
        np.testing.assert_allclose(user, found, atol=2e-5)
        np.testing.assert_allclose(
            student.item_vectors().detach().numpy() @ user,
            contents.catalogue.vectors @ found,
            atol=1e-4,
        )


@every_form
def test_the_form_is_kept(tower: StoredForm, rows: str, gguf: str) -> None:
    found = BundleForm.of(stored_as(tower, rows, gguf))
    assert (found.tower, found.rows, found.gguf) == (tower, rows, gguf)


@pytest.mark.parametrize(("bits", "rows"), [(None, "float32"), (8, "int8"), (4, "int4")])
def test_epochs_are_measured_as_the_bundle_will_store_them(bits: int | None, rows: str) -> None:
    contents = stored_as(StoredForm(bits), rows, "F32")
    form = BundleForm.of(contents)
    torch.manual_seed(2)
    trained = recovered_student(contents, none_new(contents), 0.0)
    with torch.no_grad():
        for parameter in trained.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    before = {name: value.clone() for name, value in trained.state_dict().items()}
    measured = form.stored(trained)
    # The student goes on from its float weights.
    assert all(torch.equal(value, before[name]) for name, value in trained.state_dict().items())
    moved = torch.abs(measured.blocks[0].feed.up.weight - trained.blocks[0].feed.up.weight)
    assert (float(moved.detach().max()) > 1e-4) == (bits is not None)
    onnx, gguf = form.towers(trained)
    assert stored_form(onnx) == form.tower
    found = stored_floats(onnx)
    for name, value in stored_floats(export_user_tower(measured)).items():
        np.testing.assert_allclose(found[name], value, rtol=1e-6, atol=1e-7)
    down = read_tower(gguf, contents.model).blocks[1].down
    np.testing.assert_array_equal(down, measured.blocks[1].feed.down.weight.detach().numpy())
    stored, scales = form.stored_rows(trained.item_vectors().detach().numpy())
    vectors = stored if scales is None else stored * scales[:, None]
    np.testing.assert_array_equal(vectors, measured.item_vectors().detach().numpy())


@pytest.mark.parametrize(
    ("tower", "rows", "gguf"),
    [
        (StoredForm(8), "int8", "Q8_0"),
        (StoredForm(4), "int4", "Q4_0"),
        (StoredForm(4, folded=False), "int8", None),
    ],
)
def test_a_quantized_bundle_learns_and_stays_as_small(
    tower: StoredForm, rows: str, gguf: str | None, tables: Path, tmp_path: Path
) -> None:
    parent, out = tmp_path / "parent", tmp_path / "child"
    write_bundle(parent, stored_as(tower, rows, gguf))
    arguments = ["--interactions", tables / "new.csv", "--items", tables / "items.csv", "--replay",
                 tables / "old.csv", "--config", tables / "config.toml", "--out", out]  # fmt: skip
    assert main(["update", str(parent), *map(str, arguments)]) == 0
    assert main(["verify", str(out)]) == 0
    path = tmp_path / "child-report" / "update-report.json"
    report = json.loads(path.read_text(encoding="utf-8"))
    new, old = report["new"], report["old"]
    assert new["after"]["ndcg@10"] > new["before"]["ndcg@10"] + 0.2
    assert new["difference"]["ci95"][0] > 0
    assert old["ratio"]["value"] > 0.95
    found, was = read_bundle(out).contents, read_bundle(parent).contents
    assert BundleForm.of(found) == BundleForm.of(was)
    assert found.user_tower != was.user_tower
    assert len(found.user_tower) <= len(was.user_tower)
    if gguf is not None:
        assert check_tower(found.user_tower_gguf, found.model).precision == gguf
    answer = Engine.open(out).recommend(["0-8", "0-9", "0-10"], k=1)
    assert answer.items[0].item_id == "0-11"


def test_the_taken_epoch_ranks_in_the_bundle_as_it_was_measured(
    tables: Path, tmp_path: Path
) -> None:
    """Steps so small that rounding to 4 bits undoes some of them: of floats the epoch would be
    another, and the bundle worse than its figure."""
    parent, out = tmp_path / "parent", tmp_path / "out"
    contents = stored_as(StoredForm(4), "int4")
    write_bundle(parent, contents)
    new, items, old = (tables / f"{name}.csv" for name in ("new", "items", "old"))
    settings = (tables / "config.toml").read_text(encoding="utf-8").replace("5e-3", "5e-4")
    (tmp_path / "config.toml").write_text(settings, encoding="utf-8")
    config = load_config(tmp_path / "config.toml")
    report = update_bundle(parent, new, items, out, replay=old, config=config)
    asked = arrange(read_tables(contents.catalogue, new, items, old, config), 50, 0).new_validation
    taken = report["curve"][report["epoch"]]
    assert taken["new"] > report["curve"][0]["new"] + 0.1
    found = ndcg_of(EngineScorer(Engine.open(out)), asked).mean()
    assert taken["new"] == pytest.approx(float(found), abs=1e-6)


@pytest.mark.parametrize("bits", [8, 4])
def test_what_learned_nothing_keeps_its_codes(bits: int, tables: Path, tmp_path: Path) -> None:
    """Rounding what was rounded changes nothing: no update after update wears a bundle down."""
    parent = tmp_path / "parent"
    write_bundle(parent, stored_as(StoredForm(bits), "int8"))
    (tmp_path / "config.toml").write_text("[run]\nthreads = 1\n[update]\nlearning_rate = 1e-12\n")
    report = update_bundle(
        parent,
        tables / "new.csv",
        None,
        tmp_path / "out",
        replay=tables / "old.csv",
        config=load_config(tmp_path / "config.toml"),
    )
    assert report["epoch"] == 0
    kept, found = (
        stored_floats(read_bundle(path).contents.user_tower) for path in (parent, tmp_path / "out")
    )
    assert kept.keys() == found.keys()
    for name, value in kept.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    "form", [StoredForm(), StoredForm(8), StoredForm(4, folded=False)], ids=str
)
def test_blocks_of_an_llm_are_refused_in_every_form(form: StoredForm) -> None:
    golden = read_bundle(GOLDEN).contents
    shape = TowerShape(width=32, blocks=2, heads=4, kv_heads=2, hidden=48)
    tower = form.store(export_user_tower(LlmStudent(30, 16, shape, None).eval()))
    with pytest.raises(NotRecoverableError, match="distil a new bundle"):
        recovered_student(
            dataclasses.replace(golden, user_tower=tower), none_new(golden), dropout=0.0
        )
