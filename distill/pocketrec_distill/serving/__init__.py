"""The full teacher as something that a server opens: a sealed folder, and what ranks with it."""

from pocketrec_distill.serving.contents import TeacherContents, WeightedPart
from pocketrec_distill.serving.folder import read_teacher, write_teacher
from pocketrec_distill.serving.teacher import ServedTeacher, ServingSettings, open_teacher
from pocketrec_distill.serving.tower_parts import TowerPart

__all__ = [
    "ServedTeacher",
    "ServingSettings",
    "TeacherContents",
    "TowerPart",
    "WeightedPart",
    "open_teacher",
    "read_teacher",
    "write_teacher",
]
