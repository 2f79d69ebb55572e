"""How well could new items be ranked at all? What a model reaches that has seen their events.

    python benchmarks/distillation/cold_ceiling.py --interactions I --config C --out FILE

Items are held out as by `distill` with `[run] cold_share`, and asked for by the same queries. The
linear model that leads on sparse data (EASE with item texts) is then given what a bundle never
has: all events of the new items but those of the users who are asked about, a tenth of the users at
a time. Its best setting is chosen on the queries themselves. A model of text alone that comes near
it has little left to gain.
"""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.config import load_config
from pocketrec_distill.evaluation.bootstrap import mean_interval, ratio
from pocketrec_distill.evaluation.cold import ColdRanks, WithNew, evaluate_cold
from pocketrec_distill.evaluation.metrics import recall_at
from pocketrec_distill.evaluation.queries import ColdItems
from pocketrec_distill.models.base import History
from pocketrec_distill.models.floors import ease, gram_matrix
from pocketrec_distill.models.tfidf import TfIdf, text_cosines
from pocketrec_distill.pipeline.dataset import Dataset
from pocketrec_distill.pipeline.prepare import prepare
from pocketrec_distill.pipeline.run_root import say_on_stderr

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "runtime"))

from harness import device, write_record

FOLDS = 10
REGULARIZATION = (50.0, 150.0, 400.0)
TEXT_SHARES = (0.0, 0.05, 0.15, 0.4)


def whole_histories(data: Dataset, ids: list[str]) -> dict[str, History]:
    """Every event that evaluation knows of each user, as places in `ids`."""
    place = {item: number for number, item in enumerate(ids)}
    to_place = np.array([place[item] for item in data.item_ids], dtype=np.int32)
    queries = data.test
    events = zip(queries.users, queries.histories, queries.targets, strict=True)
    return {user: to_place[np.append(history, target)] for user, history, target in events}


def fold_ranks(
    cold: ColdItems, texts: list[str], known: int, events: dict[str, History], seed: int
) -> dict[tuple[float, float], ColdRanks]:
    """Ranks of all cold queries by each setting, users of a query never in what it learned from."""
    users = list(events)
    fold_of = dict(
        zip(users, np.random.default_rng(seed).permutation(len(users)) % FOLDS, strict=True)
    )
    asked = np.array([fold_of.get(user, 0) for user in cold.queries.users])
    text_gram = text_cosines(texts)
    settings = [
        (regularization, share) for regularization in REGULARIZATION for share in TEXT_SHARES
    ]
    shape = (2, len(cold.queries))
    found = {setting: np.zeros(shape, dtype=np.int64) for setting in settings}
    for fold in range(FOLDS):
        others = [events[user] for user in users if fold_of[user] != fold]
        gram, dense = gram_matrix(others, len(texts))
        places = np.flatnonzero(asked == fold)
        part = replace(cold, queries=cold.queries.take(places))
        for regularization, share in settings:
            # As in the pipeline: texts count as more users, by a share of the regularisation.
            full = gram + np.float32(share * regularization) * text_gram[np.ix_(dense, dense)]
            model = WithNew(ease(full, dense, len(texts), regularization, 1.0), known)
            ranks = evaluate_cold(model, part)
            found[regularization, share][:, places] = ranks.among_cold, ranks.among_all
    return {setting: ColdRanks(*ranks) for setting, ranks in found.items()}


def figures(best: NDArray[np.float64], tfidf: NDArray[np.float64]) -> dict[str, Any]:
    """Recall@10 of both, and the one over the other, over the same queries."""
    return {
        "seen": mean_interval(best).as_dict(),
        "tfidf": mean_interval(tfidf).as_dict(),
        "seen_over_tfidf": ratio(best, tfidf).as_dict(),
    }


def main() -> None:
    """Measure, and write FILE."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--interactions", type=Path, required=True)
    parser.add_argument("--items", type=Path)
    parser.add_argument("--config", type=Path)
    parser.add_argument("--share", type=float, default=0.1)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    config = load_config(given.config)
    whole, held_out = (
        prepare(
            given.interactions,
            given.items,
            replace(config, run=replace(config.run, cold_share=share)),
            say_on_stderr,
        )
        for share in (0.0, given.share)
    )
    cold = held_out.cold
    assert cold is not None  # noqa: S101  (narrows: a share was given)
    texts = [*held_out.texts, *cold.texts]
    events = whole_histories(whole, [*held_out.item_ids, *cold.item_ids])
    ranks = fold_ranks(cold, texts, held_out.items, events, config.run.seed)
    tfidf = evaluate_cold(WithNew(TfIdf(texts), held_out.items), cold)
    record: dict[str, Any] = {
        "command": " ".join([Path(__file__).name, "--interactions", given.interactions.name]),
        "share": given.share,
        "device": device(),
        "items": len(cold.item_ids),
        "queries": len(cold.queries),
    }
    for among in ("among_cold", "among_all"):
        recalls = {setting: recall_at(getattr(found, among)) for setting, found in ranks.items()}
        best = max(recalls, key=lambda setting: float(recalls[setting].mean()))
        record[among] = {
            "regularization": best[0],
            "text": best[1],
            **figures(recalls[best], recall_at(getattr(tfidf, among))),
        }
    write_record(given.out, record)
    print(json.dumps(record, indent=2))


if __name__ == "__main__":
    main()
