"""Candidate teachers on a CUDA device answer as on the CPU, but for rounding."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pocketrec_distill.models.base import PADDING
from pocketrec_distill.placement import CPU
from pocketrec_distill.teachers.classifier import Classifier
from pocketrec_distill.teachers.protocol import Context
from pocketrec_distill.teachers.settings import ClassifierSettings, YesNoSettings
from pocketrec_distill.teachers.yes_no import YesNo

pytestmark = pytest.mark.cuda

CUDA = torch.device("cuda", 0)
ITEMS = 40


def test_candidate_teachers_answer_alike(llm_folder: Path, bert_folder: Path) -> None:
    texts = [f"item {number} of the stars" for number in range(ITEMS)]
    contexts = [Context(np.array(h, np.int32)) for h in ([1, 2, 3], [4], [5, 6])]
    candidates = np.array([[7, 8], [9, PADDING], [1, 2]])
    classifier = ClassifierSettings(base=str(bert_folder), precision="fp32")
    yes_no = YesNoSettings(base=str(llm_folder), precision="fp32", max_tokens=120, item_tokens=12)
    for kind, settings in ((Classifier, classifier), (YesNo, yes_no)):
        found = [
            kind.untrained(texts, settings, 1, device).candidate_logits(contexts, candidates)
            for device in (CPU, CUDA)
        ]
        np.testing.assert_allclose(found[1], found[0], atol=2e-3)
        assert np.isnan(found[1][1, 1])
