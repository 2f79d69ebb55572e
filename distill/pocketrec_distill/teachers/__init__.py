"""Teachers of every kind behind one small protocol: histories times candidates to logits."""

from pocketrec_distill.teachers.catalogue import CatalogueTeacher
from pocketrec_distill.teachers.protocol import CandidateTeacher, Context
from pocketrec_distill.teachers.score_table import ScoreTable

__all__ = ["CandidateTeacher", "CatalogueTeacher", "Context", "ScoreTable"]
