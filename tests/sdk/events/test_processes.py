"""The store between processes: killed, forked, many at once, without room and without rights."""

import ast
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from pocketrec.events import EventStore

HERE = Path(__file__).resolve().parent
KILL = HERE.parents[2] / "benchmarks" / "events" / "kill.py"


def child(name: str, folder: Path) -> list[str]:
    command = [sys.executable, str(HERE / "children.py"), name, str(folder)]
    done = subprocess.run(command, capture_output=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().splitlines()


def test_no_acknowledged_event_is_lost_when_writers_are_killed() -> None:
    command = [sys.executable, str(KILL), "--rounds", "20"]
    done = subprocess.run(command, capture_output=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert (found["rounds"], found["lost"], found["integrity_failures"]) == (20, 0, 0)
    assert found["acknowledged"] >= 60


def test_eight_processes_share_one_store(tmp_path) -> None:
    assert child("many_writers", tmp_path) == [str([0] * 8)]
    with EventStore(tmp_path) as store:
        assert len(store) == 320
        for writer in range(8):
            items = [event.item for event in store.events(f"user-{writer}")]
            assert items == [f"{writer}.{number}" for number in range(40)]


def test_a_forked_child_goes_on_with_the_store(tmp_path) -> None:
    (items,) = child("fork_after_open", tmp_path)
    assert ast.literal_eval(items) == ["before", "parent", "child 1", "child 2"]
    with EventStore(tmp_path) as store:
        assert len(store) == 4


def test_a_fork_that_python_does_not_see_is_refused(tmp_path) -> None:
    (told,) = child("fork_behind_python", tmp_path)
    assert told.startswith("ForkError")
    assert "open the store in each process" in told


def test_a_full_disk_is_told_and_loses_nothing(tmp_path) -> None:
    refusal, kept, went_on = child("disk_full", tmp_path)
    assert refusal.startswith("EventStoreFullError")
    assert "free some space" in refusal
    assert (kept, went_on) == ("True", "True")


def test_a_small_disk_runs_full_and_goes_on_when_there_is_room(tmp_path) -> None:
    mount = 'mount -t tmpfs -o size=700k tmpfs "$1" || exit 77; exec "$2" "$3" small_disk "$1"'
    command = ["unshare", "--mount", "sh", "-c", mount, "sh", str(tmp_path), sys.executable]
    done = subprocess.run(
        [*command, str(HERE / "children.py")], capture_output=True, check=False, timeout=120
    )
    if done.returncode in (1, 77) and b"ermi" in done.stderr:
        pytest.skip("this user may not mount a file system; the limit of a file is tested above")
    assert done.returncode == 0, done.stderr.decode()
    refusal, kept, erasing, left, went_on, traces = done.stdout.decode().splitlines()
    assert (refusal, kept) == ("EventStoreFullError", "True")
    # Deleting needs room too: nothing was deleted, and it is said.
    assert "nothing was changed; free some space" in erasing
    assert left.split()[1] == "True"
    assert int(left.split()[0]) > 0
    assert (went_on, traces) == ("True", "False")
    assert list(tmp_path.iterdir()) == []  # the file system went with its process


@pytest.fixture
def forbidden_folder():
    """Not under `tmp_path`, whose parents another user may not even enter."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        path.chmod(0o555)
        yield path
        path.chmod(0o755)


def test_a_folder_that_cannot_be_written_is_told(forbidden_folder) -> None:
    (told,) = child("read_only", forbidden_folder)
    assert told.startswith("EventStoreReadOnlyError")
    assert "choose a folder" in told
