"""Replay: each user's events in time, the next one predicted before it is seen, then learned from.

    python benchmarks/adaptation/run.py --name NAME --interactions I --bundle B --events all
    python benchmarks/adaptation/run.py --name NAME --interactions I --bundle B --events last

`all` is for users that the bundle was not trained on: every event is predicted; the half of the
users whose id hashes low serves for choices, the other half is the test. `last` is for a bundle
trained leave-one-out on these users: the last event but one serves for choices, the last is the
test, and all events before are learned from.
"""

import argparse
import dataclasses
import hashlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "runtime"))

import harness
import numpy as np
from numpy.typing import NDArray
from pages import cell, put_named

from pocketrec_distill.config import DistillConfig, load_config
from pocketrec_distill.data import clean
from pocketrec_distill.data.inputs import read_inputs
from pocketrec_distill.evaluation.bootstrap import mean_interval, paired_difference
from pocketrec_distill.evaluation.metrics import ndcg_at
from pocketrec_runtime import Engine
from pocketrec_runtime.adaptation import AdaptationSettings, Learner, UserOffset

HERE = Path(__file__).resolve().parent
GRID = [(rate, prior) for prior in (5.0, 20.0) for rate in (1.0, 2.0, 4.0, 6.0, 10.0)]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Walk:
    """One user's replay.

    Attributes:
        test: Which of the events predicted belong to the test.
        ndcg: NDCG@10 of each event predicted, (events, 1 + settings): frozen first.
    """

    test: NDArray[np.bool_]
    ndcg: Floats


def say(line: str) -> None:
    """One line for people."""
    sys.stderr.write(f"{line}\n")


def histories(
    interactions: Path, config: DistillConfig, engine: Engine
) -> Iterator[tuple[str, list[int]]]:
    """Users by id, with the items of their events, oldest first, that the bundle knows."""
    inputs = read_inputs(interactions, None, config.data)
    cleaned, _ = clean(inputs.interactions, inputs.settings)
    codes = np.array(engine.catalogue.indices_of(list(cleaned.item_ids)))
    offsets, items = cleaned.histories()
    for user, start, end in zip(cleaned.user_ids, offsets[:-1], offsets[1:], strict=True):
        known = codes[items[start:end]]
        yield user, known[known >= 0].tolist()


def walk(
    learner: Learner, engine: Engine, items: Sequence[int], settings: Sequence[AdaptationSettings],
    predicted: NDArray[np.bool_], test: NDArray[np.bool_],
) -> Walk | None:  # fmt: skip
    """One user's events in their order; None where none of those to be predicted is new.

    Args:
        learner: Gives residuals.
        engine: The model.
        items: Item indices, oldest first.
        settings: What is compared with the frozen model.
        predicted: bool (events,), which are predicted; an item that was seen before is not.
        test: bool (events,), which of them belong to the test.
    """
    offset, seen = UserOffset.none(engine.catalogue.width), {items[0]}
    found, is_test = [], []
    state, vector = engine.reader.read(items[:1])
    last = int(np.flatnonzero(predicted).max(initial=0))
    for place in range(1, last + 1):
        item = items[place]
        if item not in seen:
            if predicted[place]:
                vectors = [vector, *(offset.applied(vector, each) for each in settings)]
                ranks = engine.scan.ranks(np.stack(vectors), item, seen)
                found.append(ndcg_at(ranks))
                is_test.append(bool(test[place]))
            if place < last:
                offset = offset.after(learner.residual(vector, item, seen))
        seen.add(item)
        state, vector = engine.append(state, item)
    return Walk(np.array(is_test), np.stack(found)) if found else None


def parts(user: str, events: int, mode: str) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which events of a user are predicted, and which of those belong to the test."""
    predicted, test = np.zeros(events, np.bool_), np.zeros(events, np.bool_)
    if mode == "all":
        predicted[1:] = True
        test[:] = hashlib.sha256(user.encode()).digest()[0] >= 128
    else:
        predicted[-2:] = True
        test[-1] = True
    return predicted, test


def figures(
    walks: Sequence[Walk], settings: Sequence[AdaptationSettings], *, test: bool
) -> dict[str, Any]:
    """Means over users of their mean NDCG@10, with 95% intervals over users."""
    kept = [each for each in walks if (each.test == test).any()]
    means = np.stack([each.ndcg[each.test == test].mean(axis=0) for each in kept])
    return {
        "users": len(kept),
        "events": sum(int((each.test == test).sum()) for each in kept),
        "frozen": mean_interval(means[:, 0]).as_dict(),
        "settings": [
            {
                "rate": each.rate,
                "prior": each.prior,
                "difference": paired_difference(means[:, 1 + at], means[:, 0]).as_dict(),
            }
            for at, each in enumerate(settings)
        ],
    }


def table(choices: Mapping[str, Any], tested: Mapping[str, Any]) -> str:
    """Both parts as Markdown: every setting on the users for choices, the default on the test."""
    lines = [
        "| part | users | events | frozen NDCG@10 | rate | prior | adapted less frozen |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for part, found in (("choices", choices), ("**test**", tested)):
        for each in found["settings"]:
            lines.append(
                f"| {part} | {found['users']:,} | {found['events']:,} | {cell(found['frozen'])} | "
                f"{each['rate']:g} | {each['prior']:g} | {cell(each['difference'], sign=True)} |"
            )
    return "\n".join(lines)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--interactions", type=Path, required=True)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--config", type=Path, help="settings that the bundle was distilled with")
    parser.add_argument("--name", required=True, help="of the set: a mark in README.md has it")
    parser.add_argument("--events", choices=("all", "last"), required=True)
    parser.add_argument("--users", type=int, default=10**9, help="at most, drawn")
    parser.add_argument("--longest", type=int, default=10**9, help="events of a user, the newest")
    parser.add_argument("--json", type=Path, help="record with commit and device")
    parser.add_argument("--write-readme", action="store_true", help="put the table there")
    return parser.parse_args()


def main() -> None:
    """Replay, print the table, write the record."""
    given = arguments()
    config = load_config(given.config)
    engine = Engine.open(given.bundle)
    default = AdaptationSettings()
    grid = [dataclasses.replace(default, rate=rate, prior=prior) for rate, prior in GRID]
    settings, learner = [default, *grid], Learner(engine, default)
    users = sorted(histories(given.interactions, config, engine))
    order = np.random.default_rng(0).permutation(len(users))[: given.users]
    walks = []
    for user, items in (users[at] for at in order.tolist()):
        items = items[-given.longest :]
        if len(items) < 4:
            continue
        done = walk(learner, engine, items, settings, *parts(user, len(items), given.events))
        walks += [] if done is None else [done]
    choices = figures(walks, settings, test=False)
    choices["settings"] = choices["settings"][1:]
    tested = figures(walks, settings, test=True)
    tested["settings"] = tested["settings"][:1]
    shown = table(choices, tested)
    print(shown)
    record = {
        "benchmark": "replay of learning on the device",
        "set": given.name,
        "events": given.events,
        "bundle": engine.fingerprint,
        "device": harness.device(),
        "settings": dataclasses.asdict(default),
        "choices": choices,
        "test": tested,
    }
    if given.json:
        harness.write_record(given.json, record)
    if given.write_readme:
        origin = f"Commit {harness.commit()[:12]}, bundle {engine.fingerprint[:12]}."
        put_named(HERE / "README.md", given.name, f"{shown}\n\n{origin}")


if __name__ == "__main__":
    main()
