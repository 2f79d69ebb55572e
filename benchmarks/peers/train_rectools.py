"""RecTools' SASRec on given histories: the best epoch on validation answers the test queries.

    python train_rectools.py FOLDER --width 128 --epochs 100

Runs in RecTools' own environment. Reads FOLDER/exchange.npz, writes FOLDER/answers-WIDTH.npz, and
prints what was trained as one line of JSON.
"""

import argparse
import json
import sys
import time
import warnings
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from exchange import NOTHING, Exchange, Histories, Ints, K, ndcg, ranks_in
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import SASRecModel

warnings.simplefilter("ignore")


def dataset_of(histories: Histories) -> Dataset:
    """Each history as a user whose events are a day apart."""
    days = pd.to_timedelta(histories.places(), unit="D")
    frame = pd.DataFrame(
        {
            Columns.User: histories.owners(),
            Columns.Item: histories.items,
            Columns.Weight: 1.0,
            Columns.Datetime: pd.Timestamp("2000-01-01") + days,
        }
    )
    return Dataset.construct(frame)


def answers_of(model: SASRecModel, histories: Histories, dataset: Dataset) -> Ints:
    """Ten unseen items per history, best first, int64 (histories, K)."""
    found = model.recommend(
        np.arange(len(histories)), dataset, k=K, filter_viewed=True, on_unsupported_targets="ignore"
    )
    answers = np.full((len(histories), K), NOTHING, dtype=np.int64)
    rows, columns = found[Columns.User].astype(int), found[Columns.Rank].astype(int) - 1
    answers[rows, columns] = found[Columns.Item].astype(int)
    return answers


def trained(model: SASRecModel, given: Exchange, epochs: int, patience: int) -> list[float]:
    """Validation NDCG@10 after each epoch; the model is left as it was after the best one."""
    train, asked = dataset_of(given.train), dataset_of(given.validation)
    curve: list[float] = []
    best: dict[str, torch.Tensor] = {}
    while len(curve) < epochs and len(curve) - 1 - _best(curve) < patience:
        started = time.monotonic()
        model.fit_partial(train, min_epochs=1, max_epochs=1)
        curve.append(ndcg(ranks_in(answers_of(model, given.validation, asked), given.targets)))
        took = time.monotonic() - started
        sys.stderr.write(f"epoch {len(curve)}: validation {curve[-1]:.4f}, {took:.1f} s\n")
        if _best(curve) == len(curve) - 1:
            best = {name: value.clone() for name, value in model.torch_model.state_dict().items()}
    model.torch_model.load_state_dict(best)
    return curve


def _best(curve: list[float]) -> int:
    """Place of the first of the highest values; -1 of none."""
    return int(np.argmax(curve)) if curve else -1


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--width", type=int, required=True)
    parser.add_argument("--dropout", type=float, default=0.2)
    parser.add_argument("--batch", type=int, default=128, help="users")
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--patience", type=int, default=10)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main() -> None:
    """Train, answer, write."""
    given = arguments()
    torch.set_num_threads(given.threads)
    torch.manual_seed(given.seed)
    np.random.seed(given.seed)
    exchange = Exchange.read(given.folder / "exchange.npz")
    longest = max(np.diff(histories.offsets).max() for histories in (exchange.train, exchange.test))
    settings: dict[str, Any] = {
        "n_blocks": 2,
        "n_heads": 4,
        "n_factors": given.width,
        "session_max_len": min(int(longest), 100),
        "dropout_rate": given.dropout,
        "loss": "softmax",
        "lr": 1e-3,
        "batch_size": given.batch,
    }
    model = SASRecModel(**settings, recommend_torch_device="cpu", verbose=0)
    started = time.monotonic()
    curve = trained(model, exchange, given.epochs, given.patience)
    seconds = time.monotonic() - started
    answers = answers_of(model, exchange.test, dataset_of(exchange.test))
    np.savez(given.folder / f"answers-{given.width}.npz", answers=answers)
    packages = ("rectools", "torch", "numpy", "pandas")
    about = {
        "settings": settings,
        "validation_ndcg@10": curve,
        "best_epoch": _best(curve) + 1,
        "train_seconds": seconds,
        "parameters": sum(p.numel() for p in model.torch_model.parameters()),
        "versions": {name: metadata.version(name) for name in packages},
    }
    sys.stdout.write(json.dumps(about) + "\n")


if __name__ == "__main__":
    main()
