"""What a grid is asked to measure, checked before anything is opened."""

from dataclasses import dataclass

from pocketrec_runtime import limits
from pocketrec_runtime.cores import usable_cores
from pocketrec_runtime.errors import InputError
from pocketrec_runtime.shape import RowFormat


@dataclass(frozen=True)
class GridPlan:
    """The axes of a grid.

    Attributes:
        items: Sizes of drawn catalogues, beside the bundle's own.
        history_events: Lengths of histories; those above a bundle's window are cut to it.
        threads: Threads of a model run.
        rows: Precisions of drawn catalogues' rows; none takes each bundle's own.
        k: Items in an answer.
        seconds: Time for the two latencies of each point together.
        queries: Histories that quality is measured on where no events are held out.
        seed: Of everything that is drawn.
    """

    items: tuple[int, ...] = (1_000, 10_000, 100_000, 1_000_000)
    history_events: tuple[int, ...] = (10, 50)
    threads: tuple[int, ...] = (1,)
    rows: tuple[RowFormat, ...] = ()
    k: int = 10
    seconds: float = 0.5
    queries: int = 64
    seed: int = 7

    def __post_init__(self) -> None:
        if not all(1 <= count <= limits.MAX_ITEMS for count in self.items):
            raise InputError(f"items are {self.items}; give 1 to {limits.MAX_ITEMS:,}")
        if not self.history_events or min(self.history_events) < 1:
            raise InputError(f"history lengths are {self.history_events}; give 1 or more")
        cores = usable_cores()
        if not self.threads or not all(1 <= count <= cores for count in self.threads):
            raise InputError(f"threads are {self.threads}; this process may use 1 to {cores}")
        if not all(rows in ("float32", "int8", "int4") for rows in self.rows):
            raise InputError(f"rows are {self.rows}; give float32, int8 or int4")
        if self.k < 1 or self.queries < 1 or not 0 < self.seconds <= 600:
            raise InputError("give k and queries from 1 on, and seconds above 0 and at most 600")
