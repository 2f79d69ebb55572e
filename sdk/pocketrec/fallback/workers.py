"""Blocking work with an end: the caller is back in time whatever the work does."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from pocketrec.fallback.deadline import Deadline
from pocketrec.fallback.faults import ServerFault

T = TypeVar("T")


class Workers:
    """At most `limit` threads that each do one piece of work.

    Name resolution cannot be told to stop, and the process must be able to end while it hangs: so
    the threads are daemons, and one that is late is left behind, counted until it is done.

    Args:
        limit: Pieces of work at a time.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._busy = 0

    def run(self, work: Callable[[], T], deadline: Deadline) -> T:
        """What `work` gives, or raises, by the deadline.

        Raises:
            ServerFault: "busy" where all threads are taken, "timeout" at the deadline.
        """
        future = self.start(work)
        if future is None:
            raise ServerFault("busy", f"{self._limit} requests are on their way already")
        try:
            return future.result(deadline.left_s())
        except TimeoutError:
            raise ServerFault("timeout", "the deadline passed before the server answered") from None

    def start(self, work: Callable[[], T]) -> Future[T] | None:
        """The work begun in a thread of its own; None where all are taken."""
        if not self._enter():
            return None
        future: Future[T] = Future()

        def body() -> None:
            try:
                future.set_result(work())
            except BaseException as error:  # noqa: BLE001 - handed on to whoever waits
                future.set_exception(error)
            finally:
                self._leave()

        try:
            threading.Thread(target=body, name="pocketrec-fallback", daemon=True).start()
        except RuntimeError:
            # No thread to be had: too many, or the interpreter is ending.
            self._leave()
            return None
        return future

    def _enter(self) -> bool:
        with self._lock:
            if self._busy >= self._limit:
                return False
            self._busy += 1
            return True

    def _leave(self) -> None:
        with self._lock:
            self._busy -= 1
