"""`--teacher-out` of a finished run: the same blend, ready to serve, and nothing trained anew."""

import json
import re
from pathlib import Path

import numpy as np

from pocketrec_distill.config import load_config
from pocketrec_distill.evaluation.ranking import evaluate
from pocketrec_distill.models.base import History
from pocketrec_distill.pipeline.prepare import prepare
from pocketrec_distill.serving import ServedTeacher, ServingSettings, open_teacher, read_teacher

from .conftest import FinishedRun, Workplace


class Served:
    """A served teacher as the protocol asks for it."""

    def __init__(self, teacher: ServedTeacher) -> None:
        self.teacher = teacher

    def scores(self, histories: list[History]) -> np.ndarray:
        return self.teacher.scores([history.tolist() for history in histories])


def test_the_served_teacher_ranks_as_the_run_said(finished: FinishedRun, tmp_path: Path) -> None:
    place, out = finished.place, tmp_path / "teacher"
    again = Workplace(
        place.interactions, place.items, place.config, tmp_path / "bundle", place.run_dir
    )
    result = again.distill("--json", "--teacher-out", str(out))
    assert result.exit_code == 0, result.stderr
    assert not re.search("peak memory", result.stderr)
    teacher = open_teacher(out, ServingSettings(precision="fp32"))
    data = prepare(place.interactions, place.items, load_config(place.config), lambda _line: None)
    assert tuple(teacher.catalogue.ids) == tuple(data.item_ids)
    found = evaluate(Served(teacher), data.test)
    reported = json.loads(result.stdout)["test"]["blend"]["ndcg@10"]
    assert abs(float(np.mean(1 / np.log2(1 + found.ranks) * (found.ranks <= 10))) - reported) < 1e-6
    contents, _ = read_teacher(out)
    weights = json.loads(result.stdout)["blend"]
    heard = {name: weight for name, weight in weights.items() if weight}
    assert {part.name: part.weight for part in contents.parts} == heard
    # What is not heard costs the server nothing.
    assert set(contents.towers) == {"teacher", "control", "sasrec"} & set(heard)
