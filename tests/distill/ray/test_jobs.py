"""The catalogue encoded and labels made as Ray Data jobs are those that one process makes.

Costs a local cluster and five jobs of two workers; six minutes where others use the machine too.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pocketrec_distill import spread
from pocketrec_distill.errors import ConfigError
from pocketrec_distill.placement import CPU
from pocketrec_distill.settings import RunSettings

JOBS = Path(__file__).with_name("jobs.py")


@pytest.mark.ray
def test_two_workers_make_the_same_arrays(tmp_path: Path, llm_folder: Path) -> None:
    environment = os.environ | {"HOME": str(tmp_path)}  # Ray keeps a token there
    command = [sys.executable, str(JOBS), str(llm_folder), str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    made = sorted(
        path.relative_to(tmp_path / "here") for path in (tmp_path / "here").rglob("*.npy")
    )
    assert len(made) == 7
    for name in made:
        expected, found = (np.load(tmp_path / where / name) for where in ("here", "ray"))
        assert expected.size
        np.testing.assert_array_equal(found, expected, err_msg=str(name))
    assert len(set(np.load(tmp_path / "processes.npy").tolist())) == 2


def test_without_ray_everything_is_done_here() -> None:
    def double(part: int) -> np.ndarray:
        return np.array([2 * part], np.float32)

    assert spread.spread_over(0, CPU) is spread.here
    assert [array.tolist() for array in spread.here(double, [3, 1])] == [[6.0], [2.0]]
    with pytest.raises(ConfigError, match="ray is -1"):
        RunSettings(ray=-1)
