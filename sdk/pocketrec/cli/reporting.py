"""A distillation report in a terminal."""

from collections.abc import Mapping
from typing import Any

from pocketrec.cli.output import table


def report_text(report: Mapping[str, Any]) -> str:
    """The headline and the test metrics of every model, best first."""
    from pocketrec_distill.report.summary import headline, model_name, ranked_models

    test = report["test"]
    rows = []
    for model in ranked_models(test):
        measured = test[model]
        low, high = measured["ndcg@10_ci95"]
        figures = (f"{measured[key]:.4f}" for key in ("recall@10", "mrr@10", "coverage@10"))
        rows.append(
            [model_name(model), f"{measured['ndcg@10']:.4f}", f"{low:.4f}..{high:.4f}", *figures]
        )
    head = ["test split", "NDCG@10", "95% interval", "Recall@10", "MRR@10", "Coverage@10"]
    return f"{headline(report)}\n\n{table(head, rows)}\n"
