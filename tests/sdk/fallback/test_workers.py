"""Work that does not end in time is left behind, counted, and forgotten when it is done."""

import threading
import time

import pytest

from pocketrec.fallback import Deadline, ServerFault
from pocketrec.fallback.workers import Workers


def test_what_the_work_gives_and_raises_comes_back() -> None:
    workers = Workers(1)
    assert workers.run(lambda: 7, Deadline.after_ms(60_000)) == 7
    with pytest.raises(ZeroDivisionError):
        workers.run(lambda: 1 // 0, Deadline.after_ms(60_000))


def test_work_without_end_is_left_at_the_deadline() -> None:
    workers, done = Workers(2), threading.Event()
    for _ in range(2):
        with pytest.raises(ServerFault) as caught:
            workers.run(done.wait, Deadline.after_ms(20))
        assert caught.value.kind == "timeout"
    # Both are still there: a third does not start.
    with pytest.raises(ServerFault) as caught:
        workers.run(done.wait, Deadline.after_ms(20))
    assert caught.value.kind == "busy"
    assert workers.start(done.wait) is None
    done.set()
    while (last := workers.start(done.wait)) is None:
        time.sleep(0.001)
    assert last.result(60)
