"""The exception tree of pocketrec.

PocketrecError
  InputError              an argument or user input is wrong (also a ValueError)
  MissingExtraError       an optional package is not installed (also an ImportError)
  StateError              a user state is malformed or belongs to another model
  ForkError               an engine is used in a process that was forked from its own
  BundleError             a bundle cannot be read or written
    BundleNotFoundError   nothing stands at the path
    BundleFormatError     it breaks the format: names, JSON, shapes, values, model files
    BundleIntegrityError  its bytes are not the bytes that were sealed
    BundleVersionError    a format version that this reader does not know
    DeltaError            a catalogue delta is for another model, or does not fit the catalogue
    SelfTestError         it opens, but does not answer its golden queries as recorded

Every message says the value, the limit and the next step.
"""


class PocketrecError(Exception):
    """Any error that pocketrec raises on purpose."""


class InputError(PocketrecError, ValueError):
    """An argument or user input is outside what the call accepts."""


class MissingExtraError(PocketrecError, ImportError):
    """A package of an optional extra is not installed.

    Args:
        package: The import that failed, for example "torch".
        extra: The extra of the distribution that brings it, for example "distill".
    """

    def __init__(self, package: str, extra: str) -> None:
        self.package = package
        self.extra = extra
        super().__init__(f'{package} is not installed; run: pip install "pocketrec[{extra}]"')


class StateError(PocketrecError):
    """A user state is malformed, or was made by another model."""


class ForkError(PocketrecError):
    """An engine is used in a process that was forked from the one that opened it."""


class BundleError(PocketrecError):
    """A bundle cannot be read or written."""


class BundleNotFoundError(BundleError):
    """Nothing stands at the given path."""


class BundleFormatError(BundleError):
    """The bundle breaks the format described in docs/bundle-format.md."""


class BundleIntegrityError(BundleError):
    """The bytes of the bundle are not the bytes that were sealed."""


class BundleVersionError(BundleError):
    """The bundle has a format version that this reader does not know."""


class DeltaError(BundleError):
    """A catalogue delta is for another model, or does not fit the catalogue."""


class SelfTestError(BundleError):
    """The bundle does not answer its golden queries as recorded."""
