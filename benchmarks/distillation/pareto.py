"""NDCG@10 against bytes and latency: every preset in every precision, from one run's labels.

Data, text states, teacher and labels come from one run directory; what is trained for this is kept
there too, so that a stopped call goes on where it stopped. Timings are of the machine it runs on.

    python benchmarks/distillation/pareto.py --interactions I --items T --run-dir RUN --out FOLDER
"""

import json
import sys
from typing import Any

from students_of_a_run import commit, of_preset, open_run, run_arguments

from pocketrec_distill.evaluation.metrics import ndcg_at
from pocketrec_distill.evaluation.ranking import EngineScorer, evaluate
from pocketrec_distill.pipeline.models import RunModels
from pocketrec_distill.pipeline.precision import Variant
from pocketrec_distill.pipeline.ship import Shipping
from pocketrec_distill.presets import PRESETS
from pocketrec_runtime import Engine
from pocketrec_runtime.bundle import assemble
from pocketrec_runtime.page import Point, pareto_front, scatter


def measured(base: RunModels, preset: str) -> list[dict[str, Any]]:
    """Every precision of one preset's student, distilled from the base run's labels."""
    shipping = Shipping(of_preset(base, preset, base.run))
    return [row_of(preset, variant, shipping) for variant in shipping.variants()]


def row_of(preset: str, variant: Variant, shipping: Shipping) -> dict[str, Any]:
    """What one bundle reaches and costs."""
    engine = Engine(assemble(shipping.contents(variant)))
    test = evaluate(EngineScorer(engine), shipping.data.test)
    return {
        "preset": preset,
        "tower": variant.tower,
        "rows": variant.rows,
        "training": variant.training,
        "validation_ndcg@10": variant.ndcg,
        "test_ndcg@10": float(ndcg_at(test.ranks).mean()),
        "bytes": variant.size_bytes,
        "append_ms": variant.append_ms,
        "append_difference": variant.append_difference,
        "shipped": variant.shipped,
    }


def points_of(rows: list[dict[str, Any]], cost: str) -> list[Point]:
    """The rows as points; labels are short, the group says the preset."""
    return [
        Point(
            f"{row['tower']}/{row['rows']}" + (" aware" if row["training"] == "aware" else ""),
            row[cost],
            row["test_ndcg@10"],
            row["preset"],
        )
        for row in rows
    ]


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as a Markdown table; a star marks the Pareto front of bytes."""
    front = {(p.group, p.label) for p in pareto_front(points_of(rows, "bytes"))}
    lines = [
        "| preset | tower / rows | validation | test NDCG@10 | bytes | append, ms | shipped |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row, point in zip(rows, points_of(rows, "bytes"), strict=True):
        star = " *" if (point.group, point.label) in front else ""
        lines.append(
            f"| {row['preset']} | {point.label}{star} | {row['validation_ndcg@10']:.4f} "
            f"| {row['test_ndcg@10']:.4f} | {row['bytes']:,} | {row['append_ms']:.3f} "
            f"| {'yes' if row['shipped'] else ''} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Read the arguments, train what is missing, write pareto.json and two drawings."""
    parser = run_arguments(__doc__.splitlines()[0])
    parser.add_argument("--presets", default=",".join(PRESETS))
    given = parser.parse_args()
    base = open_run(given)
    rows = [row for preset in given.presets.split(",") for row in measured(base, preset)]
    given.out.mkdir(parents=True, exist_ok=True)
    report = {"split": base.config.run.split, "commit": commit(), "rows": rows}
    (given.out / "pareto.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    for cost, name in (("bytes", "bytes of tower and rows"), ("append_ms", "append and rank, ms")):
        drawing = scatter(
            points_of(rows, cost), title=f"Test NDCG@10 and {name}", cost=name, value="NDCG@10"
        )
        (given.out / f"pareto-{cost}.svg").write_text(f"{drawing}\n", encoding="utf-8")
    sys.stdout.write(table(rows))


if __name__ == "__main__":
    main()
