"""Writes `report.json` and `report.html`, each complete or not at all."""

import json
import os
import tempfile
from pathlib import Path

from pocketrec_distill.report.html import render_html
from pocketrec_distill.report.schema import REPORT_SCHEMA, Report, validate_report


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
    _write_atomic(json_path, text)
    _write_atomic(html_path, page)
    return json_path, html_path


def write_json(report: Report, path: Path) -> Path:
    """Write any report as JSON, complete or not at all; returns `path`.

    Raises:
        OSError: the file system refused; an older report stands untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _write_atomic(path, json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    return path


def _write_atomic(path: Path, text: str) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
