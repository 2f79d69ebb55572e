"""The two towers of a bundle, and the backends that run them."""

from pocketrec_runtime.towers.contract import Account, UserTower
from pocketrec_runtime.towers.onnx_item import MAX_TEXT_CHARS, PADDING_ID, OnnxItemTower
from pocketrec_runtime.towers.onnx_user import OnnxUserTower

__all__ = [
    "MAX_TEXT_CHARS",
    "PADDING_ID",
    "Account",
    "OnnxItemTower",
    "OnnxUserTower",
    "UserTower",
]
