"""A teacher served from a CUDA device scores as on the CPU, but for rounding."""

import numpy as np
import pytest
import torch

from pocketrec_distill.serving import ServedTeacher, ServingSettings, TeacherContents

pytestmark = pytest.mark.cuda


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_served_teacher_scores_alike(contents: TeacherContents, precision: str) -> None:
    histories = [[2], [3, 1, 0], [3, 1, 0, 4, 2, 2, 1], [0, 0], [4, 2, 1, 3], [1, 4]]
    teachers = [
        ServedTeacher(contents, "f" * 64, ServingSettings(precision=precision, device=device))
        for device in ("cpu", "cuda")
    ]
    for length in range(1, 8):
        asked = [history[:length] for history in histories]
        cpu, cuda = (teacher.scores(asked) for teacher in teachers)
        tolerance = 1e-3 if precision == "fp32" else 5e-2
        assert np.abs(cuda - cpu).max() < tolerance * np.abs(cpu).max()
    teachers[1].self_test()
    assert teachers[1].device == torch.device("cuda", 0)
