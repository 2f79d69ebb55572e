"""`--teacher-out` of a finished run: the same blend, ready to serve, and nothing trained anew."""

import json
import re
from pathlib import Path

import numpy as np

from pocketrec_distill.config import load_config
from pocketrec_distill.evaluation.ranking import evaluate
from pocketrec_distill.models.base import History
from pocketrec_distill.models.nearest_known import NearestKnown
from pocketrec_distill.pipeline.blending import BlendChoice
from pocketrec_distill.pipeline.models import RunModels
from pocketrec_distill.pipeline.prepare import prepare
from pocketrec_distill.pipeline.stages import RunDirectory
from pocketrec_distill.pipeline.trending import Trend
from pocketrec_distill.serving import ServedTeacher, ServingSettings, open_teacher, read_teacher
from pocketrec_distill.serving.export import export_teacher

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


def test_all_parts_are_served_with_unknown_items_filled(
    finished: FinishedRun, tmp_path: Path
) -> None:
    """Whatever validation chose: every part is heard here, with the trend; three are unknown."""
    place, out = finished.place, tmp_path / "teacher"
    config = load_config(place.config)
    data = prepare(place.interactions, place.items, config, lambda _line: None)
    counts = data.counts.copy()
    counts[[0, 11, 22]] = 0
    vars(data)["nearest"] = NearestKnown.of(data.texts, counts)
    lines: list[str] = []
    models = RunModels(data, config, RunDirectory(place.run_dir, lines.append))
    vars(models)["blend_choice"] = BlendChoice((1.0, 0.5, 0.25, 2.0, 0.75), nearest=True)
    vars(models)["trend"] = trend = Trend(0.7, half_life=0.1)
    bias = trend.bias(data)
    assert np.ptp(bias) > 0.1
    export_teacher(models, out)
    assert lines
    assert all("kept" in line for line in lines)
    contents, _ = read_teacher(out)
    assert set(contents.towers) == {"teacher", "control", "sasrec"}
    served = Served(open_teacher(out, ServingSettings(precision="fp32")))
    histories = [*data.test.histories[:20], np.array([0, 11, 22], np.int32)]
    scores = served.scores(histories)
    expected = models.blend.scores(histories) + bias
    np.testing.assert_allclose(scores, expected, rtol=1e-3, atol=1e-3)
    vars(models)["blend_choice"] = BlendChoice((1.0, 0.5, 0.25, 2.0, 0.75), nearest=False)
    del vars(models)["blend_parts"], vars(models)["blend"]
    unfilled = models.blend.scores(histories) + bias
    assert not np.allclose(scores, unfilled, rtol=1e-3, atol=1e-3)
