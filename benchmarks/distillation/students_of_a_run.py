"""What scripts that train several students from one run share: arguments, the run, its commit."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "runtime"))

from harness import commit

from pocketrec_distill.config import load_config
from pocketrec_distill.pipeline.models import RunModels
from pocketrec_distill.pipeline.prepare import prepare
from pocketrec_distill.pipeline.run_root import say_on_stderr
from pocketrec_distill.pipeline.stages import RunDirectory
from pocketrec_distill.settings import StudentSettings

__all__ = ["commit", "of_preset", "open_run", "run_arguments"]

# What every student takes from the run instead of making its own.
SHARED = (
    "states",
    "control",
    "linear",
    "teacher",
    "blend",
    "labelled",
    "distillation_corpus",
    "trend",
)


def run_arguments(description: str) -> argparse.ArgumentParser:
    """The arguments that name a run and where results go."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--interactions", type=Path, required=True)
    parser.add_argument("--items", type=Path)
    parser.add_argument("--config", type=Path)
    parser.add_argument("--run-dir", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    return parser


def open_run(given: argparse.Namespace) -> RunModels:
    """The models of the run that `run_arguments` named; each is made when it is asked for."""
    config = load_config(given.config)
    torch.set_num_threads(config.run.threads or 1)
    data = prepare(given.interactions, given.items, config, say_on_stderr)
    return RunModels(data, config, RunDirectory(given.run_dir, say_on_stderr))


def of_preset(base: RunModels, preset: str, run: RunDirectory) -> RunModels:
    """The models of a run with a student of another preset, distilled from the run's labels.

    Args:
        base: The run.
        preset: One of `PRESETS`.
        run: Where the student is kept.
    """
    own = StudentSettings(preset=preset)
    student = replace(
        base.config.student, preset=preset, width=own.width, blocks=own.blocks,
        heads=own.heads, kv_heads=own.kv_heads, hidden=own.hidden,
    )  # fmt: skip
    models = RunModels(base.data, replace(base.config, student=student), run)
    # A cached property reads the instance first: so the base run's results stand for its own.
    vars(models).update({name: getattr(base, name) for name in SHARED})
    return models
