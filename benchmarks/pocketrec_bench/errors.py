"""What goes wrong in a benchmark, over the runtime's own tree.

PocketrecError
  BenchError              a benchmark cannot be run, or its result cannot be trusted
    InvalidRunError       a run cannot become valid, so that it is not begun
    QualityError          the answers are not good enough for speed to count
    ResultFormatError     a file of results is not what this version writes
    NotComparableError    two measurements say nothing about each other
      DeviceMismatchError they come from devices that differ
"""

from pocketrec_runtime.errors import PocketrecError


class BenchError(PocketrecError):
    """A benchmark cannot be run, or what it measured cannot be trusted."""


class InvalidRunError(BenchError):
    """A run cannot become valid in the time that it was given, or on this machine."""


class QualityError(BenchError):
    """The accuracy run failed: speed without quality is not measured."""


class ResultFormatError(BenchError):
    """A stored result or card is malformed, of another schema, or out of bounds."""


class NotComparableError(BenchError):
    """Two measurements say nothing about each other: other work, or runs that are not valid."""


class DeviceMismatchError(NotComparableError):
    """Two measurements come from devices that differ, and nobody said that this is meant."""
