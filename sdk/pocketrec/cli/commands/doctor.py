"""`pocketrec doctor`: what this machine offers, and what is missing."""

import importlib
import os
import platform
import shutil
import sys
from typing import Any

import click

from pocketrec import __version__
from pocketrec.cli.extras import missing, requirements
from pocketrec.cli.options import json_option
from pocketrec.cli.output import emit, emit_json, table
from pocketrec_runtime.cores import usable_cores
from pocketrec_runtime.storage import cache_directory

#: Instruction sets that change how fast a scan or an int8 product runs.
_CPU_FEATURES = ("AVX2", "FMA3", "AVX512F", "AVX512_SKX", "AVX512_ICL", "ASIMD", "ASIMDDP", "SVE")


@click.command("doctor", short_help="Versions, extras and what this machine offers.")
@json_option
def command(as_json: bool) -> None:
    """Show versions, installed extras, processor features, threads and folders.

    Missing extras are no error; each is shown with the command that installs it.
    """
    found = _examine()
    if as_json:
        emit_json("doctor", found)
        return
    emit(f"pocketrec   {found['pocketrec']}")
    emit(f"python      {found['python']['version']}  {found['python']['executable']}")
    emit(f"platform    {found['platform']}")
    cpu = found["cpu"]
    emit(f"processor   {cpu['count']} cores, {cpu['usable']} usable; {' '.join(cpu['features'])}")
    emit(f"providers   {', '.join(found['onnxruntime_providers'])}")
    cache = found["cache"]
    emit(f"cache       {cache['path']} ({cache['free_bytes'] / 1e9:.1f} GB free)")
    emit()
    emit(table(["package", "installed", "wanted", "extra"], _package_rows(found["packages"])))
    emit()
    for name, extra in found["extras"].items():
        emit(
            f"[{name}]  " + ("installed" if extra["installed"] else f"missing: {extra['install']}")
        )


def _examine() -> dict[str, Any]:
    return {
        "pocketrec": __version__,
        "python": {"version": platform.python_version(), "executable": sys.executable},
        "platform": platform.platform(),
        "cpu": {
            "count": os.cpu_count(),
            "usable": usable_cores(),
            "features": _cpu_features(),
            "threads_environment": os.environ.get("OMP_NUM_THREADS"),
        },
        "onnxruntime_providers": _providers(),
        "cache": _cache(),
        "packages": _packages(),
        "extras": _extras(),
    }


def _extras() -> dict[str, dict[str, Any]]:
    names = sorted({r.extra for r in requirements() if r.extra is not None})
    return {
        name: {
            "installed": not missing(name),
            "missing": missing(name),
            "install": f'pip install "pocketrec[{name}]"',
        }
        for name in names
    }


def _packages() -> list[dict[str, Any]]:
    """Each package once, with every extra that brings it; [all] only repeats the others."""
    packages: dict[str, dict[str, Any]] = {}
    for found in requirements():
        package = packages.setdefault(
            found.name,
            {
                "name": found.name,
                "wanted": found.wanted,
                "installed": found.installed,
                "extras": [],
            },
        )
        if found.extra not in (None, "all"):
            package["extras"].append(found.extra)
    return list(packages.values())


def _package_rows(packages: list[dict[str, Any]]) -> list[list[str]]:
    return [
        [p["name"], p["installed"] or "-", p["wanted"], ", ".join(p["extras"]) or "base"]
        for p in packages
    ]


def _cpu_features() -> list[str]:
    """What NumPy found when it started; empty where this NumPy keeps it elsewhere."""
    try:
        found = importlib.import_module("numpy._core._multiarray_umath").__cpu_features__
    except (ImportError, AttributeError):
        return []
    return [name for name in _CPU_FEATURES if found.get(name)]


def _providers() -> list[str]:
    import onnxruntime

    return list(onnxruntime.get_available_providers())


def _cache() -> dict[str, Any]:
    path = cache_directory()
    existing = next(folder for folder in (path, *path.parents) if folder.exists())
    return {"path": str(path), "free_bytes": shutil.disk_usage(existing).free}
