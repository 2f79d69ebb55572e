"""`distill`: the whole way from tables to a verified bundle and its report."""

import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from pocketrec_distill.config import DistillConfig
from pocketrec_distill.deferral import Beliefs
from pocketrec_distill.errors import ConfigError
from pocketrec_distill.evaluation.cold import by_item, cold_report
from pocketrec_distill.evaluation.gate import Gate
from pocketrec_distill.evaluation.metrics import RankingMetrics, summarise
from pocketrec_distill.evaluation.ranking import EngineScorer, evaluate_all
from pocketrec_distill.models.base import Scorer, SequenceScorer
from pocketrec_distill.models.floors import Popularity, co_occurrence
from pocketrec_distill.pipeline.dataset import Dataset
from pocketrec_distill.pipeline.deferral import deferral_report, fitted_policy
from pocketrec_distill.pipeline.gate import closing_gate, gated_path
from pocketrec_distill.pipeline.measure import (
    append_and_rank_ms,
    comparisons,
    retention,
    teacher_ms,
    usual_ms,
)
from pocketrec_distill.pipeline.models import RunModels
from pocketrec_distill.pipeline.precision import Variant
from pocketrec_distill.pipeline.prepare import prepare
from pocketrec_distill.pipeline.refit import Refitted, refitted
from pocketrec_distill.pipeline.run_root import run_root, say_on_stderr
from pocketrec_distill.pipeline.ship import Shipping
from pocketrec_distill.pipeline.stages import RunDirectory
from pocketrec_distill.pipeline.teachers import teacher_figures
from pocketrec_distill.placement import described, set_threads
from pocketrec_distill.report.schema import REPORT_SCHEMA
from pocketrec_distill.training.parallel import data_parallel, started
from pocketrec_distill.version import VERSION
from pocketrec_runtime import BundleContents, Engine, write_bundle
from pocketrec_runtime.bundle import assemble

Metrics = dict[str, dict[str, RankingMetrics]]


def _silent(_line: str) -> None:
    """One process speaks for all."""


def distill(
    interactions: Path,
    items: Path | None,
    out: Path,
    *,
    config: DistillConfig,
    run_dir: Path | None = None,
    teacher_out: Path | None = None,
    say: Callable[[str], None] = say_on_stderr,
) -> dict[str, Any]:
    """Train a teacher, distil a student, quantize, and write a verified bundle.

    A student that fails the gate is written beside `out`, as the report's `gate.bundle` says.

    Args:
        interactions: Table of interactions.
        items: Table of items with their text; None takes titles from the interactions' columns.
        out: Where the bundle goes: a folder, or a file name that ends in .zip.
        config: Every setting.
        run_dir: Where stages keep their results, so that a stopped run resumes; None keeps none.
        teacher_out: Where the blend goes as a folder for `pocketrec serve`; None writes none.
        say: Called with one line per finished stage.

    Under torchrun the processes train the LLM teacher together, in one `run_dir`; the first of them
    does all the rest.

    Returns:
        The report, as docs/report.md describes it; empty in a process that does not lead.

    Raises:
        DataError: The tables cannot be read, or hold too little to learn from.
        SourceError: The base LLM cannot be had.
        ConfigError: A setting does not fit the data.
        BundleError: The bundle cannot be written; no half-written one is left.
    """
    if run_dir is None and (processes := started()) > 1:
        raise ConfigError(f"{processes} processes need one run directory; give --run-dir")
    set_threads(config.run.threads)
    with data_parallel() as group, run_root(run_dir) as root:
        tell = say if group.leads else _silent
        data = prepare(interactions, items, config, tell)
        run = RunDirectory(root, tell, follows=not group.leads)
        models = RunModels(data, config, run)
        final = Refitted(models) if config.run.refit else models
        if group.size > 1:
            # Made first, so that no process waits for another while it does something else.
            _ = models.teacher, final.teacher
        if not group.leads:
            return {}
        _export_teacher(final, teacher_out, say)
        shipping = Shipping(models)
        variants = shipping.variants()
        variant = next(v for v in variants if v.shipped)
        contents = shipping.shipped(variant)
        with run.timed("evaluate"):
            contents, metrics, deferral = _with_policy(shipping, contents)
            cold = _cold(data, contents)
        gate = closing_gate(metrics["test"], config.gate, say)
        out = gated_path(out, gate)
        if isinstance(final, Refitted) and not gate.blocks:
            contents = refitted(final, variant, contents)
        with run.timed("bundle"):
            size_bytes = _written(out, contents, metrics, config, gate)
        return {
            "schema": REPORT_SCHEMA,
            **{s: {m: summarise(r) for m, r in by.items()} for s, by in metrics.items()},
            "retention": retention(metrics["test"]),
            "comparisons": comparisons(metrics["test"]),
            "gate": {**gate.as_dict(), "bundle": out.name},
            "deferral": deferral,
            "bundle_bytes": size_bytes,
            "latency_ms": _latency(models, Engine.open(out), shipping),
            "test_by_item": by_item(metrics["test"], data.test.targets, data.counts),
            **cold,
            **contents.provenance,
            **_details(models, shipping, variants),
        }


def _cold(data: Dataset, contents: BundleContents) -> dict[str, Any]:
    if data.cold is None:
        return {}
    return {"cold": cold_report(Engine(assemble(contents)), data.texts, data.cold)}


def _export_teacher(models: RunModels, out: Path | None, say: Callable[[str], None]) -> None:
    if out is None:
        return
    # Serving is made of a run's models, and so is imported by the one that has them.
    from pocketrec_distill.serving.export import export_teacher

    with models.run.timed("export-teacher"):
        say(f"teacher: {export_teacher(models, out)[:16]} in {out}")


def _evaluated(shipping: Shipping, engine: Engine) -> tuple[Metrics, Beliefs]:
    """Every model on test and validation, and what the blend believes of validation queries."""
    models, data, window = shipping.models, shipping.data, shipping.models.window
    beliefs = Beliefs(models.trend.beside(models.blend, data))
    scorers: dict[str, Scorer] = {
        "teacher": models.blend_parts["teacher"],
        "blend": beliefs,
        "student_fp32": shipping.ranked(models.student),
        "shipped": EngineScorer(engine),
        "control": SequenceScorer(models.control, window),
        "sasrec": SequenceScorer(models.sasrec, window),
        "ease": models.linear.ease,
        "itemitem": co_occurrence(data.train, data.items),
        "popularity": Popularity(data.counts),
    }
    test = evaluate_all(scorers, data.test)
    beliefs.forget()
    return {"test": test, "validation": evaluate_all(scorers, models.asked.reported)}, beliefs


def _with_policy(
    shipping: Shipping, contents: BundleContents
) -> tuple[BundleContents, Metrics, Mapping[str, Any]]:
    """The contents with a deferral policy to the blend, all metrics, and what the policy brings."""
    engine, models = Engine(assemble(contents)), shipping.models
    metrics, beliefs = _evaluated(shipping, engine)
    shipped, blend = (metrics["validation"][name] for name in ("shipped", "blend"))
    policy = fitted_policy(engine, models.asked.reported, beliefs, shipped, blend, models.seed)
    test = metrics["test"]
    found = deferral_report(engine, policy, models.data.test, test["shipped"], test["blend"])
    return replace(contents, deferral=policy), metrics, found


def _written(
    out: Path, contents: BundleContents, metrics: Metrics, config: DistillConfig, gate: Gate
) -> int:
    """Write the bundle with its metrics and provenance; returns its size in bytes."""
    shown = ("shipped", "teacher", "control", "sasrec", "ease", "popularity")
    measured = {
        split: {name: summarise(by[name]) for name in shown} for split, by in metrics.items()
    }
    base = Path(config.llm.model).name
    contents = replace(
        contents,
        metrics={
            "split": config.run.split,
            "ranking": "full, seen items excluded",
            "gate": gate.status,
            **measured,
        },
        provenance={
            "pocketrec": VERSION,
            "base_llm": base,
            "seed": config.run.seed,
            **contents.provenance,
        },
    )
    return write_bundle(out, contents).size_bytes


def _parameters(models: RunModels) -> dict[str, int]:
    """Number of weights of each model; the frozen LLM counts in the teacher."""
    named = {
        "teacher": models.teacher,
        "student": models.student,
        "control": models.control,
        "sasrec": models.sasrec,
    }
    return {name: sum(p.numel() for p in model.parameters()) for name, model in named.items()}


def _latency(models: RunModels, engine: Engine, shipping: Shipping) -> dict[str, Any]:
    """One more event and ten items: the bundle, and the teacher on the same machine."""
    history = shipping.longest_history
    shipped = usual_ms(append_and_rank_ms(engine, history))
    teacher = teacher_ms(SequenceScorer(models.teacher, models.window), history)
    ratio = teacher["median"] / shipped["median"]
    return {"teacher": teacher, "shipped": shipped, "ratio": ratio}


def _details(models: RunModels, shipping: Shipping, variants: list[Variant]) -> dict[str, Any]:
    """What the report says beyond its fixed keys; of the trend, in place of the bundle's words."""
    data = models.data
    return {
        "data": {
            "split": models.config.run.split,
            "items": data.items,
            "training_users": len(data.train),
            "training_events": data.events,
            "cleaning": dict(data.account),
        },
        "blend": dict(zip(models.heard, models.blend.weights, strict=True)),
        "nearest_known": models.blend_choice.nearest,
        "trend": models.trend.as_dict(),
        "label_temperature": models.labelled.temperature,
        "parameters": _parameters(models),
        "seconds": models.run.seconds,
        "peak_memory_bytes": models.run.peak_memory,
        "teachers": teacher_figures(models),
        "quantization": [asdict(variant) for variant in variants],
        "parity": {f"{v.tower} tower, {v.rows} rows": v.parity for v in variants},
        "item_tower": shipping.item_tower[2],
        "history": [
            {"stage": stage, "epoch": row["epoch"], "loss": row["loss"], "ndcg": row["ndcg"]}
            for stage, curve in models.curves.items()
            for row in curve
        ],
        "config": models.config.as_dict(),
        "device": {
            "machine": platform.machine(),
            "system": platform.system(),
            "python": platform.python_version(),
            "cores": os.cpu_count(),
            "torch_threads": torch.get_num_threads(),
            "torch": torch.__version__,
            "torch_device": described(models.device),
        },
    }
