"""What scripts that train several students from one run share: arguments, the run, its commit."""

import argparse
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "runtime"))

from harness import commit

from pocketrec_distill.config import load_config
from pocketrec_distill.pipeline.models import RunModels
from pocketrec_distill.pipeline.prepare import prepare
from pocketrec_distill.pipeline.run_root import say_on_stderr
from pocketrec_distill.pipeline.stages import RunDirectory

__all__ = ["commit", "open_run", "run_arguments"]


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
