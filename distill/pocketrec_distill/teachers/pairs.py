"""Teachers that read a history and a candidate as texts, by their kind."""

from collections.abc import Mapping
from typing import Any

from pocketrec_distill.teachers.classifier import Classifier
from pocketrec_distill.teachers.settings import ClassifierSettings, YesNoSettings
from pocketrec_distill.teachers.yes_no import YesNo

PairTeacher = Classifier | YesNo
PairSettings = ClassifierSettings | YesNoSettings

PAIR_TEACHERS: Mapping[str, Any] = {"classifier": Classifier, "yes_no": YesNo}
"""Class of each kind; every one is opened, and made untrained, with settings of its kind."""
