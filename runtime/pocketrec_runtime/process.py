"""Whether this is still the process that opened the models."""

import os

from pocketrec_runtime.errors import ForkError


class HomeProcess:
    """The process in which an engine was opened.

    A forked child inherits the memory of ONNX Runtime and llama.cpp but none of their threads, so
    that a run in it can hang for ever; an error is better.
    """

    def __init__(self) -> None:
        self._pid = os.getpid()

    def check(self) -> None:
        """Returns in the process that made this.

        Raises:
            ForkError: This process was forked from it.
        """
        if os.getpid() != self._pid:
            raise ForkError(
                f"this engine was opened in process {self._pid}, of which this one, {os.getpid()}, "
                "is a fork; call Engine.open in each process, or start processes with 'spawn'"
            )
