"""How a bundle's file stores the weights of its user tower."""

from pocketrec_runtime.bundle import Bundle, names
from pocketrec_runtime.onnx_guard import weight_bytes
from pocketrec_runtime.towers import Account


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
    return max(sizes, key=lambda stored: (sizes[stored], stored)) if sizes else account.precision
