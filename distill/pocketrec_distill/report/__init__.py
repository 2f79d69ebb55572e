"""The report of a run: fixed keys, checked; `report.json`, and one self-contained `report.html`."""

from pocketrec_distill.report.html import render_html
from pocketrec_distill.report.schema import (
    METRICS,
    MODELS,
    REPORT_SCHEMA,
    ReportError,
    validate_report,
)
from pocketrec_distill.report.summary import headline
from pocketrec_distill.report.write import write_report

__all__ = [
    "METRICS",
    "MODELS",
    "REPORT_SCHEMA",
    "ReportError",
    "headline",
    "render_html",
    "validate_report",
    "write_report",
]
