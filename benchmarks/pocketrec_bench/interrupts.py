"""Ctrl-C while LoadGen runs: an exception that passes through it ends the process with SIGABRT."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Self


class HeldInterrupt:
    """Holds back an interrupt from the keyboard until the block ends, then raises it.

    Outside of the main thread, which alone gets signals, nothing is held.
    """

    def __init__(self) -> None:
        self.held = False
        self._before: object = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._hold)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)  # type: ignore[arg-type]
        if self.held and error is None:
            raise KeyboardInterrupt

    def _hold(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - signal's own
        self.held = True
