"""Continued pretraining as a stage: item states and the teacher come from its result."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from pocketrec_distill.config import DistillConfig
from pocketrec_distill.evaluation.queries import QuerySet
from pocketrec_distill.pipeline.models import RunModels
from pocketrec_distill.pipeline.stages import RunDirectory
from pocketrec_distill.pretrain import PretrainSettings
from pocketrec_distill.settings import LlmSettings

from .making import made_dataset

TRAIN = [np.array([0, 1, 2], np.int32), np.array([2, 1], np.int32)]
QUERY = QuerySet([TRAIN[1]], np.array([0], np.int64))
DATA = made_dataset(("the star", "red wars", "alert"), TRAIN, QUERY)
PRETRAIN = PretrainSettings(enabled=True, steps=2, batch=2, rank=2, learning_rate=1e-2)


def stages(llm_folder: Path, root: Path, pretrain: PretrainSettings) -> tuple[RunModels, list[str]]:
    said: list[str] = []
    llm = LlmSettings(model=str(llm_folder), layer=1, precision="fp32")
    models = RunModels(
        DATA, DistillConfig(llm=llm, pretrain=pretrain), RunDirectory(root, said.append)
    )
    return models, said


def test_item_states_come_from_the_pretrained_llm(llm_folder: Path, tmp_path: Path) -> None:
    plain, said = stages(llm_folder, tmp_path, PretrainSettings())
    states = plain.states
    assert [line.split(":")[0] for line in said] == ["item-states"]
    models, said = stages(llm_folder, tmp_path, PRETRAIN)
    assert np.abs(models.states - states).max() > 1e-4
    assert [line.split(":")[0] for line in said] == ["pretrain", "item-states"]
    assert models.llm.fingerprint != plain.llm.fingerprint
    (curve,) = tmp_path.glob("pretrain-*/curve.json")
    assert curve.read_text(encoding="utf-8").count("behaviour") == 2


def test_a_finished_pretraining_is_kept_and_a_changed_one_is_not(
    llm_folder: Path, tmp_path: Path
) -> None:
    first = stages(llm_folder, tmp_path, PRETRAIN)[0].states
    models, said = stages(llm_folder, tmp_path, PRETRAIN)
    np.testing.assert_array_equal(models.states, first)
    assert all("kept" in line for line in said)
    changed, said = stages(llm_folder, tmp_path, replace(PRETRAIN, temperature=0.5))
    assert changed.states is not None
    assert not any("kept" in line for line in said)
