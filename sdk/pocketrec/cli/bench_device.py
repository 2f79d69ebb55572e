"""`pocketrec bench device`: what this machine is, as far as speed depends on it."""

import click

from pocketrec.cli.options import json_option
from pocketrec.cli.output import emit, emit_json, table


@click.command("device", short_help="This device, as cards describe it.")
@json_option
def device(*, as_json: bool) -> None:
    """Describe this device as far as speed depends on it, with its fingerprint.

    No name of host or user and no serial number is read.
    """
    from pocketrec_bench.device import read_device

    values = read_device().as_dict()
    if as_json:
        emit_json("bench_device", values)
    else:
        emit(table(["", ""], [[name, _shown(value)] for name, value in values.items()]))


def _shown(value: object) -> str:
    if value is None:
        return "none, or not known"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(inner)}" for name, inner in value.items())
    if isinstance(value, list):
        return "; ".join(map(_shown, value)) or "none"
    return str(value)
