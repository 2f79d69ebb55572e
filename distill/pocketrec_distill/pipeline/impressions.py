"""`distill --impressions`: from clicks and non-clicks to a bundle that scores texts."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.clicks.calibrate import best_calibration
from pocketrec_distill.clicks.crossfit import CrossFit, cross_fit, distilled_head
from pocketrec_distill.clicks.encoder import Encoder, load_encoder
from pocketrec_distill.clicks.export import export_click_user_tower
from pocketrec_distill.clicks.head import ClickHead, ClickRows
from pocketrec_distill.clicks.inputs import ClickData, all_items, on_texts, read_clicks
from pocketrec_distill.clicks.tower_files import TowerFiles, make_tower
from pocketrec_distill.clicks.vectors import click_counts, click_rows, standard_directions
from pocketrec_distill.config import DistillConfig
from pocketrec_distill.data.impressions import Impressions
from pocketrec_distill.data.items import ItemTable
from pocketrec_distill.errors import ConfigError
from pocketrec_distill.evaluation.clicks import score_impressions
from pocketrec_distill.evaluation.pointwise import summarise_clicks
from pocketrec_distill.export.columns import shown_columns
from pocketrec_distill.llm.text import TextTemplate
from pocketrec_distill.pipeline.golden import golden_histories
from pocketrec_distill.pipeline.run_root import run_root, say_on_stderr
from pocketrec_distill.pipeline.stages import RunDirectory, digest_of
from pocketrec_distill.placement import set_threads
from pocketrec_distill.version import VERSION
from pocketrec_runtime import (
    BundleContents,
    Calibration,
    Catalogue,
    Engine,
    ItemTowerShape,
    ModelShape,
    quantize_rows,
    record_golden,
    write_bundle,
)
from pocketrec_runtime.bundle import assemble

CLICK_REPORT_SCHEMA = "pocketrec.click_report/1"

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Prepared:
    """Items in catalogue order, with their two kinds of vectors.

    Attributes:
        items: The catalogue.
        places: Item id to row.
        exact: The encoder's vectors, float32 (items, width): the catalogue's rows.
        tower: The item tower with its tokenizer, and what it says of the same texts.
        counts: Clicks of each item.
    """

    items: ItemTable
    places: Mapping[str, int]
    exact: Floats
    tower: TowerFiles
    counts: NDArray[np.int64]

    @property
    def popularity(self) -> Floats:
        """Share of the clicks, float32 (items,)."""
        share: Floats = (self.counts / max(1, self.counts.sum())).astype(np.float32)
        return share

    @property
    def average(self) -> Floats:
        """The mean item by popularity: what stands for an empty history."""
        weights = self.popularity if self.counts.sum() else np.ones_like(self.popularity)
        mean: Floats = (weights @ self.exact / weights.sum()).astype(np.float32)
        return mean


def distill_clicks(
    impressions: Path,
    items: Path | None,
    out: Path,
    *,
    config: DistillConfig,
    run_dir: Path | None = None,
    say: Callable[[str], None] = say_on_stderr,
) -> dict[str, Any]:
    """Learn clicks from impressions and item texts, and write a bundle that scores new texts.

    The encoder's knowledge of texts is distilled into the on-device item tower; a head on the
    encoder's own vectors is the teacher of the head that is shipped. Penalties and calibration
    come from a cross-validation over users; "valid", where the data has it, is only measured.

    Args:
        impressions: MIND's `behaviors.tsv`, or a folder of a published set with impressions.
        items: `news.tsv`, or a table of items.
        out: Where the bundle goes.
        config: `[clicks]`, `[data]`, `[text]` and `[run]` count.
        run_dir: Where stages keep their results; None keeps none.
        say: Called with one line per finished stage.

    Returns:
        The report, `pocketrec.click_report/1` of docs/clicks.md.

    Raises:
        ConfigError: `[run] refit` is set, which is for rankings.
        DataError: The files cannot be read, or hold too little to learn from.
        SourceError: The encoder cannot be had.
        BundleError: The bundle cannot be written.
    """
    if config.run.refit:
        raise ConfigError("[run] refit goes with --interactions, not with clicks; leave it out")
    data = read_clicks(impressions, items, config.data)
    return distill_click_data(data, out, config=config, run_dir=run_dir, say=say)


def distill_click_data(
    data: ClickData,
    out: Path,
    *,
    config: DistillConfig,
    run_dir: Path | None = None,
    say: Callable[[str], None] = say_on_stderr,
) -> dict[str, Any]:
    """`distill_clicks` of data that is read already, or split in another way."""
    set_threads(config.run.threads)
    train = learned_from(data.parts["train"], config.clicks.max_candidates)
    notes = (*data.notes, *on_texts(data.items, train))
    for note in notes:
        say(note)
    with run_root(run_dir) as root:
        run = RunDirectory(root, say)
        prepared = _prepared(data, train, config, run)
        with run.timed("click-head"):
            fitted = _fitted(prepared, train, config)
        contents = _contents(prepared, fitted, config)
        measured = {"train_out_of_fold": fitted.measured} | _measured(contents, data, config)
        with run.timed("bundle"):
            manifest = write_bundle(out, replace(contents, metrics=_shown(measured)))
        Engine.open(out)
        return {
            "schema": CLICK_REPORT_SCHEMA,
            **measured,
            "penalties": asdict(fitted.fit.penalties),
            "cross_validation": fitted.fit.tried,
            "calibration": {"held_out_log_loss": fitted.losses, **fitted.calibration.as_dict()},
            "item_tower": prepared.tower.figures,
            "bundle_bytes": manifest.size_bytes,
            "data": {
                "impressions": len(train),
                "candidates": train.shown,
                "clicks": train.clicks,
                "users": len(set(train.users)),
                "items": len(prepared.items.item_ids),
                "notes": list(notes),
            },
            "seconds": run.seconds,
            "peak_memory_bytes": run.peak_memory,
            "config": config.as_dict(),
        }


def learned_from(impressions: Impressions, max_candidates: int) -> Impressions:
    """The impressions in order of time, those without one last; at most so many candidates.

    Of more, every n-th impression is taken.
    """
    order = np.argsort(impressions.times, kind="stable")
    step = -(-impressions.shown // max_candidates)
    return impressions.take(order[::step])


def _prepared(
    data: ClickData, train: Impressions, config: DistillConfig, run: RunDirectory
) -> Prepared:
    items = all_items(data.items, train)
    texts = TextTemplate(config.text.template).render(items.item_ids, items.columns)
    settings = config.clicks
    loaded: list[Encoder] = []

    def encoder() -> Encoder:
        if not loaded:
            loaded.append(load_encoder(settings.encoder))
        return loaded[0]

    key = {
        "texts": digest_of({"texts": texts}),
        "encoder": settings.encoder,
        "tokens": settings.encoder_tokens,
        "width": settings.width,
    }

    def encode(folder: Path) -> None:
        states = encoder().texts(texts, settings.encoder_tokens)
        np.save(folder / "exact.npy", standard_directions(states, settings.width))

    folder = run.stage("click-vectors", key, encode)
    exact: Floats = np.load(folder / "exact.npy")
    more = {
        name: value
        for name, value in asdict(settings).items()
        if name in ("max_tokens", "vocabulary", "catalogue_pieces", "epochs", "learning_rate")
    }
    folder = run.stage(
        "click-tower",
        {**key, **more, "seed": config.run.seed},
        lambda place: make_tower(encoder(), texts, exact, settings, config.run.seed).save(place),
    )
    places = {item: row for row, item in enumerate(items.item_ids)}
    return Prepared(items, places, exact, TowerFiles.load(folder), click_counts(train, places))


@dataclass(frozen=True, eq=False)
class Fitted:
    """The shipped head with its calibration, and how the cross-validation chose them."""

    head: ClickHead
    fit: CrossFit
    calibration: Calibration
    losses: Mapping[str, float]
    measured: Mapping[str, Any]


def _fitted(prepared: Prepared, train: Impressions, config: DistillConfig) -> Fitted:
    settings = config.clicks

    def rows_with(candidates: Floats) -> ClickRows:
        return click_rows(
            train, prepared.places, prepared.exact, candidates, prepared.average, settings.window
        )

    exact, device = rows_with(prepared.exact), rows_with(prepared.tower.vectors)
    fit = cross_fit(exact, device, train.users, settings.folds, settings.teacher_weight)
    head = distilled_head(exact, device, fit.penalties, settings.teacher_weight)
    calibration, losses = best_calibration(
        fit.scores.astype(np.float64),
        device.labels.astype(np.float64),
        device.impression,
        f"{len(train)} training impressions, out of fold",
    )
    measured: dict[str, Any] = {"student": fit.figures, "teacher": fit.teacher_figures}
    return Fitted(head, fit, calibration, losses, measured)


def _contents(prepared: Prepared, fitted: Fitted, config: DistillConfig) -> BundleContents:
    rows, scales = quantize_rows(prepared.exact)
    width, items = prepared.exact.shape[1], len(prepared.items.item_ids)
    bias = np.full(items, fitted.head.bias, np.float32)
    columns = shown_columns(prepared.items)
    catalogue = Catalogue(
        ids=prepared.items.item_ids,
        rows=rows,
        scales=scales,
        bias=bias,
        popularity=prepared.popularity,
        columns=columns,
    )
    contents = BundleContents(
        model=ModelShape(
            width=width,
            blocks=1,
            heads=1,
            kv_heads=1,
            head_dim=width,
            window=config.clicks.window,
            items=items,
            rows="int8",
            item_tower=ItemTowerShape(config.clicks.max_tokens, bias=fitted.head.bias),
        ),
        catalogue=catalogue,
        calibration=fitted.calibration,
        user_tower=export_click_user_tower(fitted.head),
        item_tower=prepared.tower.model,
        tokenizer=prepared.tower.tokenizer,
        license=config.run.license,
        provenance={
            "pocketrec": VERSION,
            "trained_on": "impressions",
            "encoder": Path(config.clicks.encoder).name,
            "text_template": config.text.template,
            "seed": config.run.seed,
        },
    )
    histories = golden_histories(prepared.items.item_ids, config.clicks.window, config.run.seed)
    return record_golden(contents, histories)


def _measured(
    contents: BundleContents, data: ClickData, config: DistillConfig
) -> dict[str, Mapping[str, Any]]:
    """The finished bundle on "valid" through the runtime, candidates from text and by row."""
    if "valid" not in data.parts or data.items is None:
        return {}
    engine, valid = Engine(assemble(contents)), data.parts["valid"]
    rendered = TextTemplate(config.text.template).render(data.items.item_ids, data.items.columns)
    texts = dict(zip(data.items.item_ids, rendered, strict=True))
    found = {"valid_from_text": summarise_clicks(score_impressions(engine, valid, texts)[0])}
    scored, left_out = score_impressions(engine, valid, {})
    found["valid_from_rows"] = {**summarise_clicks(scored), "candidates_left_out": left_out}
    return found


def _shown(measured: Mapping[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps({"task": "clicks", **measured}))  # type: ignore[no-any-return]
