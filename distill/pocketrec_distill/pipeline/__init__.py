"""The pipeline: tables in, a verified bundle and a report out, resumable stage by stage."""

from pocketrec_distill.pipeline.distill import distill

__all__ = ["distill"]
