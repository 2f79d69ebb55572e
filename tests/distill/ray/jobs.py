"""Labels and states, made here and on two Ray workers: `python jobs.py LLM_FOLDER OUT`.

A process of its own, as Ray's own deprecation warnings would end the tests.
"""

import os
import sys
import time
from pathlib import Path

import numpy as np
import torch

from pocketrec_distill.llm import load_base_llm, pooled_states
from pocketrec_distill.models.base import SequenceScorer
from pocketrec_distill.models.llama import TowerShape
from pocketrec_distill.models.student import Student
from pocketrec_distill.spread import OnRay, here
from pocketrec_distill.training import label

ITEMS = 7
LONGEST_WAIT_S = 120


def process(folder: str) -> np.ndarray:
    """Who works; the first waits for the second, who would else come when all is done."""
    Path(folder, str(os.getpid())).touch()
    ends = time.monotonic() + LONGEST_WAIT_S
    while len(list(Path(folder).iterdir())) < 2 and time.monotonic() < ends:
        time.sleep(0.05)
    return np.array([os.getpid()], np.float64)


def main(llm_folder: str, out: str) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(2)
    teacher = SequenceScorer(Student(ITEMS, TowerShape(8, 1, 2, 2, 8), None).eval(), window=6)
    rng = np.random.default_rng(0)
    sequences = [rng.integers(0, ITEMS, 2 + n % 6).astype(np.int32) for n in range(70)]
    texts = [f"the star {n} of the red wars {'alert ' * (n % 5)}" for n in range(70)]
    llm = load_base_llm(llm_folder, "fp32")
    on_ray = OnRay(2)
    for name, spread in (("here", here), ("ray", on_ray)):
        folder = Path(out, name)
        for candidates in (0, 3):
            (folder / f"labels{candidates}").mkdir(parents=True)
            target = folder / f"labels{candidates}"
            label(teacher, sequences, ITEMS, target, 1 << 20, candidates, spread)
        states = pooled_states(
            llm, texts, layer=1, max_tokens=16, cache=folder / "states.sqlite", spread=spread
        )
        np.save(folder / "states.npy", states)
    workers = Path(out, "workers")
    workers.mkdir()
    np.save(Path(out, "processes.npy"), np.concatenate(list(on_ray(process, 8 * [str(workers)]))))


if __name__ == "__main__":
    main(*sys.argv[1:])
