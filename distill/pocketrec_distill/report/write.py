"""Writes `report.json` and `report.html`, each complete or not at all."""

import json
from pathlib import Path

from pocketrec_distill.report.html import render_html
from pocketrec_distill.report.schema import REPORT_SCHEMA, Report, validate_report
from pocketrec_runtime.storage import write_atomically


def write_report(report: Report, directory: Path) -> tuple[Path, Path]:
    """Check `report` and write it twice into `directory`: for programs and for people.

    Returns:
        The paths of `report.json` and `report.html`.

    Raises:
        ReportError: the report does not hold its fixed keys; nothing was written.
        OSError: the file system refused; an older report stands untouched.
    """
    validate_report(report)
    document = {"schema": REPORT_SCHEMA} | {k: v for k, v in report.items() if k != "schema"}
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    page = render_html(document)
    directory.mkdir(parents=True, exist_ok=True)
    json_path, html_path = directory / "report.json", directory / "report.html"
    write_atomically(json_path, text.encode())
    write_atomically(html_path, page.encode())
    return json_path, html_path


def write_json(report: Report, path: Path) -> Path:
    """Write any report as JSON, complete or not at all; returns `path`.

    Raises:
        OSError: the file system refused; an older report stands untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_atomically(path, text.encode())
    return path
