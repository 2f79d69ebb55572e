"""`pocketrec export-ort`: models and operator list for a minimal build of ONNX Runtime."""

import contextlib
import io
import logging
import tempfile
import warnings
from pathlib import Path

import click

from pocketrec.cli.options import OUTPUT_PATH, bundle_argument, json_option
from pocketrec.cli.output import emit, emit_json
from pocketrec_runtime import read_bundle
from pocketrec_runtime.bundle import BundleContents
from pocketrec_runtime.errors import InputError, MissingExtraError
from pocketrec_runtime.storage import write_atomically

CONFIG = "required_operators.config"


@click.command("export-ort", short_help="ORT-format models for minimal mobile builds.")
@bundle_argument()
@click.option("--out", type=OUTPUT_PATH, required=True, help="Folder for the files; is made.")
@json_option
def command(bundle: Path, out: Path, as_json: bool) -> None:
    """Write the models of BUNDLE in ORT format, and the operators that a minimal build needs.

    The list, required_operators.config, is what ONNX Runtime's build takes with
    --include_ops_by_config, with --enable_reduced_operator_type_support where it is wanted.
    """
    written = _converted(read_bundle(bundle).contents)
    out.mkdir(parents=True, exist_ok=True)
    for name, data in written.items():
        write_atomically(out / name, data)
    if as_json:
        sizes = {name: len(data) for name, data in written.items()}
        emit_json("export_ort", {"path": str(out), "files": sizes})
        return
    for name, data in written.items():
        emit(f"{out / name}  {len(data):,} bytes")


def _converted(contents: BundleContents) -> dict[str, bytes]:
    """The ORT files and the operator list of a bundle's ONNX models."""
    models = {"user_tower": contents.user_tower, "item_tower": contents.item_tower}
    present = {name: data for name, data in models.items() if data is not None}
    if not present:
        raise InputError("this bundle has no ONNX model; export it with one")
    try:
        from onnxruntime.tools import convert_onnx_models_to_ort as ort
    except ImportError as error:
        raise MissingExtraError("onnx", "distill") from error
    with tempfile.TemporaryDirectory(prefix="pocketrec-") as folder:
        for name, data in present.items():
            Path(folder, f"{name}.onnx").write_bytes(data)
        # ONNX Runtime's tool tells its progress on stdout and in its log, and leaves a file open.
        logging.getLogger("ort_format_model.utils").setLevel(logging.WARNING)
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            ort.convert_onnx_models_to_ort(
                Path(folder),
                optimization_styles=[ort.OptimizationStyle.Fixed],
                enable_type_reduction=True,
            )
        written = {f"{name}.ort": Path(folder, f"{name}.ort").read_bytes() for name in present}
        listed = next(Path(folder).glob("required_operators*.config")).read_text("utf-8")
    # Its comments name folders of this machine.
    lines = [line for line in listed.splitlines() if not line.startswith("#")]
    return {**written, CONFIG: ("\n".join(lines) + "\n").encode()}
