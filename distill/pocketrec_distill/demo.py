"""The demo: MovieLens-100K and SmolLM2-135M, end to end, on this machine."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from pocketrec_distill.config import DistillConfig
from pocketrec_distill.pipeline import distill
from pocketrec_distill.report import write_report
from pocketrec_distill.settings import TextSettings
from pocketrec_distill.sources import movielens_100k

TEMPLATE = "{title} ({release_year}). Genres: {class}"
LICENSE = "MovieLens terms of use (no redistribution); SmolLM2 Apache-2.0"


def run_demo(out: Path, config: DistillConfig | None = None) -> dict[str, Any]:
    """Distil MovieLens-100K into `out/bundle`, with `out/report.json` and `out/report.html`.

    Stages are kept in `out/run`: a stopped demo goes on where it stopped.

    Raises:
        SourceError: The data or the model cannot be obtained.
    """
    config = config or DistillConfig()
    config = replace(
        config,
        text=TextSettings(TEMPLATE),
        run=replace(config.run, license=LICENSE),
        # A demo shows what the gate found, and goes on.
        gate=replace(config.gate, enforce=False),
    )
    out.mkdir(parents=True, exist_ok=True)
    tables = movielens_100k()
    bundle = out / "bundle"
    report = distill(tables.interactions, tables.items, bundle, config=config, run_dir=out / "run")
    _, page = write_report(report, out)
    return {"bundle": str(bundle), "report": str(page)}
