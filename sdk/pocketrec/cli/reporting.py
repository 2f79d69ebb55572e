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
    return f"{headline(report)}\n\n{table(head, rows)}\n{_refit_text(report)}"


def _refit_text(report: Mapping[str, Any]) -> str:
    """What the bundle learned, where that is more than what was measured."""
    refit = report.get("refit")
    if refit is None:
        return ""
    return (
        f"The figures are of {refit['measured']:,} events; the bundle was made once more from all "
        f"{refit['events']:,}.\n\n"
    )


def click_report_text(report: Mapping[str, Any]) -> str:
    """The click metrics of a run: out of fold on the training users, and on "valid"."""
    out_of_fold = report["train_out_of_fold"]
    rows = [
        [f"{name}, out of fold", "", *(_figure(out_of_fold[name].get(key)) for key in _CLICKS)]
        for name in ("teacher", "student")
    ]
    for name, title in (
        ("valid_from_text", "bundle, valid, from text"),
        ("valid_from_rows", "bundle, valid, from rows"),
    ):
        if name in report:
            low, high = report[name]["group_auc_ci95"]
            figures = (_figure(report[name].get(key)) for key in _CLICKS)
            rows.append([title, f"{low:.4f}..{high:.4f}", *figures])
    head = ["", "group AUC, 95%", "group AUC", "AUC", "log loss", "calibration error"]
    return f"{table(head, rows)}\n"


_CLICKS = ("group_auc", "auc", "log_loss", "expected_calibration_error")


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
