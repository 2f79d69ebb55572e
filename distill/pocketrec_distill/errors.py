"""Errors of the distillation layer; every message carries the value, the limit, the next step.

PocketrecError
    DataError       a table that cannot be read or used
    SourceError     a model or data set that cannot be obtained
    ConfigError     a setting out of its bounds, or unknown
    NotRecoverableError  a bundle whose student cannot be trained on
"""

from pocketrec_runtime.errors import PocketrecError


class DataError(PocketrecError, ValueError):
    """A table cannot be read, mapped, cleaned or evaluated."""


class SourceError(PocketrecError, OSError):
    """A model or data set cannot be obtained, or is not what its hash says."""


class ConfigError(PocketrecError, ValueError):
    """A setting is out of its bounds, unknown, or fits no data."""


class NotRecoverableError(PocketrecError, ValueError):
    """A bundle's user tower is none whose weights can be read back and trained on."""
