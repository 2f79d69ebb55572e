"""How a bundle's file stores the weights of its user tower."""

from pocketrec_runtime.bundle import Bundle, names
from pocketrec_runtime.onnx_guard import weight_bytes
from pocketrec_runtime.towers import Account

_SHAPES = ("int32", "int64", "other")
"""What axes and lengths are stored as; they are no weights."""


def stored_weights(bundle: Bundle, account: Account) -> str:
    """The precision that most bytes of the tower's file are in, for example "int8" or "Q8_0".

    A backend may unpack what is stored; `Account.precision` says what a run multiplies.

    Args:
        bundle: The bundle.
        account: Which of its files runs, and on what.
    """
    tower = bundle.contents.user_tower
    if account.file != names.USER_TOWER or tower is None:
        return account.precision
    sizes = weight_bytes(tower, names.USER_TOWER)
    weights = {kind: size for kind, size in sizes.items() if kind not in _SHAPES}
    return max(weights, key=lambda kind: (weights[kind], kind)) if weights else account.precision
