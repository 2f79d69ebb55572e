"""The two towers of a bundle, and the backends that run them."""

from pocketrec_runtime.towers.contract import Account, UserTower
from pocketrec_runtime.towers.numpy_user import NumpyUserTower
from pocketrec_runtime.towers.onnx_item import MAX_TEXT_CHARS, PADDING_ID, OnnxItemTower
from pocketrec_runtime.towers.onnx_user import OnnxUserTower
from pocketrec_runtime.towers.opening import backends_of, open_item_tower, open_user_tower
from pocketrec_runtime.towers.settings import Backend, CachePrecision, RunSettings

__all__ = [
    "MAX_TEXT_CHARS",
    "PADDING_ID",
    "Account",
    "Backend",
    "CachePrecision",
    "NumpyUserTower",
    "OnnxItemTower",
    "OnnxUserTower",
    "RunSettings",
    "UserTower",
    "backends_of",
    "open_item_tower",
    "open_user_tower",
]
