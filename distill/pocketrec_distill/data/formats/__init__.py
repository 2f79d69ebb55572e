"""Data sets as they are published: one loader per format."""

from pocketrec_distill.data.formats.dkn import dkn
from pocketrec_distill.data.formats.mind import mind
from pocketrec_distill.data.formats.published import Published

__all__ = ["Published", "dkn", "mind"]
