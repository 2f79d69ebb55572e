"""Opening a bundle with what was delivered for it since."""

from collections.abc import Iterable
from os import PathLike

from pocketrec_runtime import Engine, read_delta


def open_engine(
    bundle: str | PathLike[str],
    deltas: Iterable[str | PathLike[str]] = (),
    *,
    threads: int = 1,
) -> Engine:
    """The engine of a bundle with delta files laid over it, in their order.

    `threads` is as in `Engine.open`.

    Raises:
        BundleError: As `Engine.open` and `read_delta`.
        DeltaError: A delta is for another bundle, or does not fit it.
        MissingExtraError: A package for the bundle is not installed.
    """
    engine = Engine.open(bundle, threads=threads)
    for path in deltas:
        engine = engine.with_delta(read_delta(path))
    return engine
