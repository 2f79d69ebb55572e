"""When a device should ask a server: fitted on validation, measured on test."""

from pocketrec_distill.deferral.beliefs import Beliefs
from pocketrec_distill.deferral.curve import CurvePoint, deferral_curve, most_kept
from pocketrec_distill.deferral.fit import SHARES, Examples, fit_policy

__all__ = [
    "SHARES",
    "Beliefs",
    "CurvePoint",
    "Examples",
    "deferral_curve",
    "fit_policy",
    "most_kept",
]
