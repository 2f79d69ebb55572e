"""What the runtime keeps between calls: users' states, in bounded memory and on disk."""

from pocketrec_runtime.store.record import KeptUser
from pocketrec_runtime.store.texts import TextVectorCache
from pocketrec_runtime.store.users import StateStore, StoreStats

__all__ = ["KeptUser", "StateStore", "StoreStats", "TextVectorCache"]
