"""Files that the runtime keeps beside bundles: written whole or not at all, sealed by a hash."""

from pocketrec_runtime.storage.atomic import read_bounded, write_atomically
from pocketrec_runtime.storage.folder import cache_directory
from pocketrec_runtime.storage.sealed import seal, unseal

__all__ = ["cache_directory", "read_bounded", "seal", "unseal", "write_atomically"]
