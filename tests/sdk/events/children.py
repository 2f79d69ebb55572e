"""What the tests run in processes of their own: `python children.py NAME FOLDER`."""

import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from pocketrec.errors import EventStoreError
from pocketrec.events import EventStore
from pocketrec_runtime.errors import PocketrecError


def many_writers(folder: Path) -> None:
    """Eight processes open one new store at once and record 40 events each."""
    children = []
    for writer in range(8):
        child = os.fork()
        if child == 0:
            store = EventStore(folder)
            for number in range(40):
                store.record(f"user-{writer}", f"{writer}.{number}", "click")
            os._exit(0)
        children.append(child)
    print([os.waitpid(child, 0)[1] for child in children])


def fork_after_open(folder: Path) -> None:
    """A child goes on with its parent's store, while others close theirs.

    The parent's end and a third process's opening and closing are what would remove the log
    under a child that relies on locks which only its parent held.
    """
    store = EventStore(folder)
    store.record("Ada", "before", "click")
    told, tell = os.pipe()
    if os.fork() == 0:
        os.read(told, 1)  # the parent closed its store
        store.record("Ada", "child 1", "click")
        if os.fork() == 0:
            EventStore(folder).close()
            os._exit(0)
        os.wait()
        store.record("Ada", "child 2", "click")
        print([event.item for event in EventStore(folder).events("Ada")], flush=True)
        os._exit(0)
    store.record("Ada", "parent", "click")
    store.close()
    os.write(tell, b".")
    os.wait()


def fork_behind_python(folder: Path) -> None:
    """A fork that no hook of Python's sees, as some servers written in C do."""
    import ctypes

    store = EventStore(folder)
    store.record("Ada", "50", "click")
    if ctypes.CDLL(None).fork() == 0:
        _tell(lambda: store.record("Ada", "181", "click"))
        sys.stdout.flush()
        os._exit(0)
    os.wait()


def disk_full(folder: Path) -> None:
    """No file may grow beyond 256 KiB, until the limit is lifted."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    store = EventStore(folder)
    resource.setrlimit(resource.RLIMIT_FSIZE, (256 * 1024, resource.RLIM_INFINITY))
    kept = 0
    try:
        for _ in range(10_000):
            store.record("Ada", f"item-{kept}", "click")
            kept += 1
    except EventStoreError as error:
        print(type(error).__name__, str(error))
    print(len(store.events("Ada")) == kept)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    store.record("Ada", "after", "click")
    print(len(store.events("Ada")) == kept + 1)


def small_disk(folder: Path) -> None:
    """A whole file system runs full, a user is erased on it, then there is room again."""
    ballast = folder / "ballast"
    ballast.write_bytes(b"x" * 200_000)
    store = EventStore(folder / "store")
    kept = 0
    try:
        while True:
            store.record(f"user-{kept % 2}", f"item-of-{kept % 2}-{kept}", "click")
            kept += 1
    except EventStoreError as error:
        print(type(error).__name__)
    print(len(store) == kept > 10)
    _tell(lambda: store.erase("user-1"))
    print(len(store.events("user-1")), len(store.events("user-0")) == (kept + 1) // 2)
    ballast.unlink()
    store.erase("user-1")
    store.record("user-0", "after", "click")
    print(len(store.events("user-0")) == (kept + 1) // 2 + 1)
    files = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    print(any(name in content for content in files for name in (b"user-1", b"item-of-1")))


def read_only(folder: Path) -> None:
    """A folder in which this user may not write; to root everything is allowed."""
    if os.geteuid() == 0:
        os.setuid(65534)
    _tell(lambda: EventStore(folder / "store"))


def _tell(call: Callable[[], object]) -> None:
    try:
        call()
    except PocketrecError as error:
        print(type(error).__name__, str(error))


if __name__ == "__main__":
    globals()[sys.argv[1]](Path(sys.argv[2]))
