"""Learning of one user on the device, beside a frozen model. See docs/adaptation.md."""

from pocketrec_runtime.adaptation.learner import Learned, Learner
from pocketrec_runtime.adaptation.offset import UserOffset
from pocketrec_runtime.adaptation.settings import AdaptationSettings
from pocketrec_runtime.adaptation.store import TasteStore

__all__ = ["AdaptationSettings", "Learned", "Learner", "TasteStore", "UserOffset"]
