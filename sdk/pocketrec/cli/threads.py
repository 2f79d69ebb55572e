"""How training threads wait for each other."""

import os


def let_threads_sleep() -> None:
    """Let OpenMP threads sleep while they wait, unless the environment says otherwise.

    By default they spin. Where any other process wants a core, a spinning thread keeps its own
    partner from running: an epoch of the small student then took 20 s instead of 3 on two cores.
    Asleep, an epoch costs a third more on an idle machine. Must come before torch is imported.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
