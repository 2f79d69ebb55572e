"""Deletion test: an item falls further without the events that its explanation names.

    python benchmarks/explanations/deletion.py --interactions I --items T --bundle office.bundle

For test users of the bundle's own split the best item is explained, a few events are taken from
the history, and the item's place among the items outside the whole history is looked up again.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "runtime"))

import harness
import numpy as np
from pages import cell, put_named

from pocketrec_distill.config import load_config
from pocketrec_distill.evaluation.bootstrap import mean_interval, paired_difference
from pocketrec_distill.pipeline.prepare import prepare
from pocketrec_runtime import Engine, Explanation

HERE = Path(__file__).resolve().parent
DRAWS, SEED = 8, 0
WAYS = ("named", "alone", "similar", "recent", "random")
MEANING = {
    "named": "**named by the explanation** (one after the other)",
    "alone": "largest drop, each left out alone",
    "similar": "nearest to the item in vectors",
    "recent": "the newest",
    "random": f"random, mean of {DRAWS} draws",
}


@dataclass(frozen=True)
class Fall:
    """Where one user's best item stands after events were taken from the history.

    Attributes:
        places: Way of choosing the events -> log2 of the item's rank; for "random" its mean.
        lost: Way -> whether it left the top 10; for "random" the share of draws.
    """

    places: Mapping[str, float]
    lost: Mapping[str, float]


def say(line: str) -> None:
    """One line for people."""
    sys.stderr.write(f"{line}\n")


def fall(
    engine: Engine, history: Sequence[int], events: int, rng: np.random.Generator
) -> Fall | None:
    """One user's fall; None where a history is too short to have another choice of events."""
    history = list(history)[-engine.window :]
    if len(history) < 2 * events:
        return None
    ids = [engine.catalogue.ids[index] for index in history]
    best = engine.recommend(ids, 1).items[0].item_id
    explained = engine.explain(ids, best, top=events)
    item = engine.catalogue.indices_of([best])[0]
    chosen = _chosen(engine, history, item, explained, events)
    draws = [rng.choice(len(history), events, replace=False).tolist() for _ in range(DRAWS)]
    ranks = {way: _rank_without(engine, history, item, out) for way, out in chosen.items()}
    drawn = np.array([_rank_without(engine, history, item, out) for out in draws])
    places = {way: float(np.log2(rank)) for way, rank in ranks.items()}
    lost = {way: float(rank > 10) for way, rank in ranks.items()}
    return Fall(
        {**places, "random": float(np.log2(drawn).mean())},
        {**lost, "random": float((drawn > 10).mean())},
    )


def _chosen(
    engine: Engine, history: list[int], item: int, explained: Explanation, events: int
) -> dict[str, list[int]]:
    vectors = engine.catalogue.vectors_of(history)
    nearness = vectors @ engine.catalogue.vectors_of([item])[0] / np.linalg.norm(vectors, axis=1)
    alone = sorted(explained.events, key=lambda event: (-event.rank_drop, -event.score_drop))
    return {
        "named": [event.position for event in explained.because],
        "alone": [event.position for event in alone[:events]],
        "similar": np.argsort(-nearness)[:events].tolist(),
        "recent": list(range(len(history)))[-events:],
    }


def _rank_without(engine: Engine, history: list[int], item: int, out: Sequence[int]) -> int:
    kept = [index for place, index in enumerate(history) if place not in set(out)]
    vector = engine.prefill(kept)[1]
    return int(engine.scan.ranks(vector[None], item, frozenset(history))[0])


def figures(falls: Sequence[Fall]) -> dict[str, Any]:
    """Mean fall by way of choosing, with 95% intervals, and paired differences to random."""
    places = {way: np.array([fall.places[way] for fall in falls]) for way in WAYS}
    lost = {way: np.array([fall.lost[way] for fall in falls]) for way in WAYS}
    return {
        "users": len(falls),
        "log2_rank": {way: mean_interval(values).as_dict() for way, values in places.items()},
        "left_top_10": {way: mean_interval(values).as_dict() for way, values in lost.items()},
        "more_than_random": {
            way: paired_difference(places[way], places["random"]).as_dict() for way in WAYS[:-1]
        },
    }


def table(name: str, found: Mapping[int, Mapping[str, Any]]) -> str:
    """The figures of one set as Markdown."""
    lines = [
        f"**{name}**",
        "",
        "| events taken | chosen as | log2 of rank after | more than random | left the top 10 |",
        "| --- | --- | --- | --- | --- |",
    ]
    for events, measured in found.items():
        for way in WAYS:
            beside = measured["more_than_random"].get(way)
            lines.append(
                f"| {events} | {MEANING[way]} | {cell(measured['log2_rank'][way], 2)} | "
                f"{cell(beside, 2, sign=True) if beside else ''} | "
                f"{measured['left_top_10'][way]['value']:.0%} |"
            )
    return "\n".join(lines)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--interactions", type=Path, required=True)
    parser.add_argument("--items", type=Path)
    parser.add_argument("--bundle", type=Path, required=True, help="distilled from these tables")
    parser.add_argument("--config", type=Path, help="settings that the bundle was distilled with")
    parser.add_argument("--name", required=True, help="of the set: a mark in README.md has it")
    parser.add_argument("--users", type=int, default=400, help="at most; default: %(default)s")
    parser.add_argument("--events", default="1,3", help="taken away; default: %(default)s")
    parser.add_argument("--json", type=Path, help="record with commit and device")
    parser.add_argument("--write-readme", action="store_true", help="put the table there")
    return parser.parse_args()


def main() -> None:
    """Explain, take away, look again; print the table, write the record."""
    given = arguments()
    config = load_config(given.config)
    data = prepare(given.interactions, given.items, config, say)
    engine = Engine.open(given.bundle)
    if tuple(engine.catalogue.ids) != tuple(data.item_ids):
        raise SystemExit("the bundle holds other items than these tables; distil it from them")
    rng = np.random.default_rng(SEED)
    order = rng.permutation(len(data.test))[: given.users]
    found = {}
    for events in map(int, given.events.split(",")):
        histories = (data.test.histories[query].tolist() for query in order.tolist())
        falls = [fall(engine, history, events, rng) for history in histories]
        found[events] = figures([each for each in falls if each is not None])
    print(table(given.name, found))
    record = {
        "benchmark": "deletion test of explanations",
        "set": given.name,
        "split": f"{config.run.split}, test histories",
        "bundle": engine.fingerprint,
        "device": harness.device(),
        "results": {str(events): measured for events, measured in found.items()},
    }
    if given.json:
        harness.write_record(given.json, record)
    if given.write_readme:
        users = ", ".join(f"{events} taken: {each['users']}" for events, each in found.items())
        origin = (
            f"Users: {users}. Commit {harness.commit()[:12]}, bundle {engine.fingerprint[:12]}."
        )
        put_named(HERE / "README.md", given.name, f"{table(given.name, found)}\n\n{origin}")


if __name__ == "__main__":
    main()
