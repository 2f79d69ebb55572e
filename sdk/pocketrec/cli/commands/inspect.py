"""`pocketrec inspect`: what a bundle says about itself."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from pocketrec.cli.options import bundle_argument, json_option
from pocketrec.cli.output import emit, emit_json, printable, table
from pocketrec_runtime import read_bundle


@click.command("inspect", short_help="What is in a bundle.")
@bundle_argument()
@json_option
def command(bundle: Path, as_json: bool) -> None:
    """Show the model, files, metrics, licence and provenance of BUNDLE.

    Every hash is checked before anything is shown; the models are not run (see verify).
    """
    opened = read_bundle(bundle)
    manifest, contents = opened.manifest, opened.contents
    columns = sorted(contents.catalogue.columns)
    described = {
        "path": str(bundle),
        "size_bytes": manifest.size_bytes,
        "columns": columns,
        "golden_queries": len(contents.golden.queries),
        **manifest.as_dict(),
    }
    if as_json:
        emit_json("inspect", described)
        return
    model = manifest.model
    emit(f"{bundle}: pocketrec bundle {manifest.format_version}, {manifest.size_bytes:,} bytes")
    emit(f"fingerprint  {manifest.fingerprint}")
    emit(
        f"model        {model.blocks} blocks, width {model.width}, window {model.window}, "
        f"{model.items:,} items, {model.rows} rows"
    )
    emit(f"columns      {printable(', '.join(columns))}")
    emit(f"license      {printable(manifest.license)}")
    rows = [[name, f"{e.size_bytes:,}", e.sha256[:16]] for name, e in manifest.files.items()]
    emit("\n" + table(["file", "bytes", "sha256"], rows))
    for name in ("metrics", "provenance"):
        lines = list(_flat(described[name]))
        if lines:
            emit("\n" + table([name, ""], lines))


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[list[str]]:
    """Free JSON as lines of dotted key and value."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield [f"{prefix}{key}", str(value)]
