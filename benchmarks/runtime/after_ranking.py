"""What rules after ranking cost, per answer of 10 from 100,000 items x 64.

python benchmarks/runtime/after_ranking.py [--json FILE]

"ranking" is the exact scan for the ten best items; every other row includes one for its pool.
"""

import harness

harness.one_thread()

import argparse  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402

from pocketrec_runtime import (  # noqa: E402
    Boost,
    CalibratedShares,
    Cap,
    Catalogue,
    Deny,
    Diversity,
    Pin,
    Quota,
    RuleContext,
    Rules,
    quantize_rows,
)
from pocketrec_runtime.rules import ScanRanking, apply_rules  # noqa: E402
from pocketrec_runtime.scan import Scan  # noqa: E402

ITEMS, WIDTH, GENRES, BRANDS = 100_000, 64, 20, 2_000

RULES = {
    "rules without effect": Rules(),
    "deny 1,000 ids and a genre": Rules(
        deny=Deny({f"i{i}" for i in range(1000)}, {"genre": ["g3"]})
    ),
    "pin and boost": Rules(pins=[Pin("i77", 1)], boosts=[Boost(2, attributes={"genre": ["g1"]})]),
    "cap of 2 per brand, quota of a genre": Rules(
        caps=[Cap("brand", 2)], quotas=[Quota("genre", "g7", least=2)]
    ),
    "MMR by vectors, pool of 100": Rules(diversity=Diversity(0.3)),
    "MMR by genre, pool of 100": Rules(diversity=Diversity(0.3, "genre")),
    "calibrated genres, pool of 100": Rules(calibration=CalibratedShares("genre")),
    "all of them": Rules(
        deny=Deny({f"i{i}" for i in range(1000)}, {"genre": ["g3"]}),
        pins=[Pin("i77", 1)],
        boosts=[Boost(2, attributes={"genre": ["g1"]})],
        caps=[Cap("brand", 2)],
        quotas=[Quota("genre", "g7", least=2)],
        diversity=Diversity(0.3),
        calibration=CalibratedShares("genre"),
    ),
}


def made_up_catalogue(rng: np.random.Generator) -> Catalogue:
    """Items of one brand and one to three genres each."""
    rows, scales = quantize_rows(rng.normal(size=(ITEMS, WIDTH)).astype(np.float32))
    genres = [
        tuple(f"g{g}" for g in set(rng.integers(0, GENRES, count).tolist()))
        for count in rng.integers(1, 4, ITEMS)
    ]
    return Catalogue(
        ids=tuple(f"i{i}" for i in range(ITEMS)),
        rows=rows,
        scales=scales,
        bias=np.zeros(ITEMS, np.float32),
        popularity=np.zeros(ITEMS, np.float32),
        columns={
            "title": (None,) * ITEMS,
            "genre": genres,
            "brand": [f"b{b}" for b in rng.integers(0, BRANDS, ITEMS)],
        },
    )


def main() -> None:
    """Measure, print a table, and write the record where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--runs", type=int, default=50)
    arguments = parser.parse_args()
    rng = np.random.default_rng(7)
    catalogue = made_up_catalogue(rng)
    vector = rng.normal(size=WIDTH).astype(np.float32)
    ranking = ScanRanking(Scan(catalogue), vector, slope=1.0)
    everything = np.ones(ITEMS, np.bool_)
    context = RuleContext(history=tuple(rng.integers(0, ITEMS, 50).tolist()))

    def ruled(rules: Rules) -> object:
        return apply_rules(rules, catalogue, ranking, 10, context=context)

    calls = {"ranking": lambda: ranking.top(10, everything)}
    calls |= {name: lambda rules=rules: ruled(rules) for name, rules in RULES.items()}
    for name, rules in RULES.items():
        assert len(ruled(rules).indices) == 10, name  # noqa: S101 - a checked result
    timings = harness.interleave(calls, rounds=4, runs=arguments.runs, warmup=3)
    base = timings["ranking"].median_ms
    print(f"{'rules':40} {'median ms':>10} {'p95 ms':>8} {'over ranking':>13}")
    for name, timing in timings.items():
        over = timing.median_ms - base
        print(f"{name:40} {timing.median_ms:10.3f} {timing.p95_ms:8.3f} {over:13.3f}")
    if arguments.json:
        harness.write_record(
            arguments.json,
            {
                "benchmark": "after_ranking",
                "device": harness.device(),
                "items": ITEMS,
                "timings": {name: timing.as_dict() for name, timing in timings.items()},
            },
        )


if __name__ == "__main__":
    main()
