"""`pocketrec verify`: whether a bundle is whole and answers as recorded."""

from pathlib import Path
from typing import Any

import click

from pocketrec.cli.exits import ExitCode
from pocketrec.cli.options import bundle_argument, json_option
from pocketrec.cli.output import emit, emit_json
from pocketrec_runtime import Engine
from pocketrec_runtime.errors import BundleError


@click.command("verify", short_help="Check a bundle's hashes and its golden answers.")
@bundle_argument()
@click.option(
    "--backend",
    type=click.Choice(["auto", "onnx", "llama", "numpy"]),
    default="auto",
    show_default=True,
    help="What answers the golden queries.",
)
@json_option
@click.pass_context
def command(ctx: click.Context, bundle: Path, backend: Any, as_json: bool) -> None:
    """Check every hash of BUNDLE, then run its golden queries through the runtime.

    Exit code 0 where all of it holds, 3 where the bundle is refused.
    """
    try:
        engine = Engine.open(bundle, backend=backend, self_test=True)
    except BundleError as error:
        if not as_json:
            raise
        refusal = {"error": type(error).__name__, "message": str(error)}
        emit_json("verify", {"ok": False, "path": str(bundle), **refusal})
        ctx.exit(ExitCode.BUNDLE)
    manifest = engine.manifest
    if as_json:
        emit_json(
            "verify",
            {
                "ok": True,
                "path": str(bundle),
                "fingerprint": engine.fingerprint,
                "files": len(manifest.files),
                "runs_on": engine.backend.as_dict(),
            },
        )
        return
    emit(f"{bundle}: ok, {len(manifest.files)} files, model {engine.fingerprint}")
    runs = engine.backend
    emit(
        f"runs {runs.file} ({runs.precision}) on {runs.backend}: asked for "
        f"{', '.join(runs.requested)}, available {', '.join(runs.available)}, used "
        f"{', '.join(runs.used)}, {runs.threads} threads"
    )
