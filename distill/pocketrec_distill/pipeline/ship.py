"""From the trained student to a bundle: export, variants measured, the best one shipped."""

import functools
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from pocketrec_distill.calibration import fit_calibration
from pocketrec_distill.evaluation.bootstrap import paired_error
from pocketrec_distill.evaluation.ranking import EngineScorer
from pocketrec_distill.export import (
    compare_scores,
    export_gguf,
    export_user_tower,
)
from pocketrec_distill.export.gguf import Precision as GgufPrecision
from pocketrec_distill.export.weight_only import weight_only
from pocketrec_distill.models.base import Scorer, SequenceScorer
from pocketrec_distill.models.llm_student import LlmStudent
from pocketrec_distill.models.trend import Biased, Followed
from pocketrec_distill.pipeline.golden import golden_histories
from pocketrec_distill.pipeline.item_towers import item_tower_shape, made_item_tower
from pocketrec_distill.pipeline.measure import append_and_rank_ms, append_difference, undisturbed_ms
from pocketrec_distill.pipeline.models import RunModels
from pocketrec_distill.pipeline.precision import (
    AWARE,
    FULL,
    LOST_NDCG,
    PRECISIONS,
    SMALLEST,
    TOWER_BITS,
    UNNOTICED_MS,
    Precision,
    Variant,
    aware_student,
    choose,
    loses,
    rounded_tower,
    rows_bytes,
    stored_rows,
    trainable,
)
from pocketrec_distill.pipeline.stages import read_json, write_json
from pocketrec_distill.pipeline.students import AnyStudent
from pocketrec_distill.training.new_items import TOP, Audience
from pocketrec_runtime import (
    BundleContents,
    Calibration,
    Catalogue,
    Engine,
    ModelShape,
    record_golden,
)
from pocketrec_runtime.bundle import assemble

_PARITY_QUERIES = 256


class Shipping:
    """Export, choice and assembly of one run's bundle."""

    def __init__(self, models: RunModels) -> None:
        self.models, self.data = models, models.data
        self.key = {**models.student_key, "aware": AWARE}
        self._exported: dict[str, Mapping[str, bytes]] = {}
        self._gains: dict[Precision, NDArray[np.float64]] = {}

    @functools.cached_property
    def bias(self) -> NDArray[np.float32]:
        """The trend in the student's logits, which are the blend's over the labels' temperature."""
        return self.models.trend.bias(self.data) / np.float32(self.models.labelled.temperature)

    @functools.cached_property
    def _popularity(self) -> NDArray[np.float32]:
        """Of every variant, counted once."""
        return self.models.trend.popularity(self.data)

    def ranked(self, student: AnyStudent) -> Scorer:
        """What a student ranks by, in float32."""
        return Biased(SequenceScorer(student, self.models.window), self.bias)

    def made(self, variant: Precision) -> AnyStudent:
        """The student that a variant was made from: as trained, or fine-tuned for its precision."""
        return self.models.student if variant.training == "plain" else self._aware

    @functools.cached_property
    def _aware(self) -> AnyStudent:
        """The student fine-tuned as its smallest variant will be stored."""
        return aware_student(self.models, SMALLEST, self.key)

    def _towers(self, training: str) -> Mapping[str, bytes]:
        """The user tower in ONNX, by precision."""
        if training not in self._exported:
            self._exported[training] = self._export(training)
        return self._exported[training]

    def _export(self, training: str) -> Mapping[str, bytes]:
        student = self.models.student if training == "plain" else self._aware

        def make(folder: Path) -> None:
            fp32 = export_user_tower(student)
            for name, bits in TOWER_BITS.items():
                # Bytes moved are what an LLM's blocks cost; a tiny tower costs operators.
                folded = bits != 4 or not isinstance(student, LlmStudent)
                data = fp32 if bits is None else weight_only(fp32, bits, folded=folded)
                (folder / f"{name}.onnx").write_bytes(data)

        folder = self.models.run.stage("export", {**self.key, "training": training}, make)
        return {name: (folder / f"{name}.onnx").read_bytes() for name in TOWER_BITS}

    def contents(
        self, variant: Precision, item_tower: tuple[bytes, bytes] | None = None
    ) -> BundleContents:
        """The student as bundle contents, not yet calibrated and without golden queries."""
        student, settings = self.made(variant), self.models.config
        shape = student.shape
        stored, scales = stored_rows(student, variant.rows, self.models)
        catalogue = Catalogue(
            ids=self.data.item_ids,
            rows=stored,
            scales=scales,
            bias=self.bias,
            popularity=self._popularity,
            columns=self.data.columns,
        )
        return BundleContents(
            model=ModelShape(
                width=student.width,
                blocks=shape.blocks,
                heads=shape.heads,
                kv_heads=shape.kv_heads,
                head_dim=shape.head_dim,
                window=self.models.window,
                items=self.data.items,
                rows=variant.rows,
                item_tower=item_tower_shape(settings.item_tower) if item_tower else None,
            ),
            catalogue=catalogue,
            calibration=Calibration(),
            user_tower=self._towers(variant.training)[variant.tower],
            item_tower=item_tower[0] if item_tower else None,
            tokenizer=item_tower[1] if item_tower else None,
            license=settings.run.license,
            provenance=self._followed.as_provenance(),
        )

    @property
    def _followed(self) -> Followed:
        """What an update of the bundle must know to renew its trend."""
        trend = self.models.trend
        return Followed(trend.weight / self.models.labelled.temperature, trend.half_life)

    def variants(self) -> list[Variant]:
        """Every precision of tower and rows on validation queries; the best one is marked.

        Where the smallest loses too much, the student is fine-tuned for it, and measured again.
        """
        # Made before, so that their time does not count as quantization's.
        student, trend = self.models.student, self.models.trend

        def make() -> list[dict[str, Any]]:
            found = [self._measured(precision) for precision in PRECISIONS]
            if loses(found, SMALLEST) and trainable(student):
                found.append(self._measured(replace(SMALLEST, training="aware")))
            best = choose(found)
            return [asdict(v) | {"shipped": v is best} for v in found]

        rule = {"may_lose": LOST_NDCG, "unnoticed_ms": UNNOTICED_MS, "times": "undisturbed"}
        key = {**self.key, **trend.key, **rule}
        rows = self.models.run.value("quantize", key, "variants.json", make)
        return [Variant(**row) for row in rows]

    def _measured(self, precision: Precision) -> Variant:
        """Quality, time and bytes of one precision; fp32 is measured before the others."""
        queries = self.models.choices.first(_PARITY_QUERIES)
        reference = self.ranked(self.models.student)
        contents = self.contents(precision)
        engine = Engine(assemble(contents))
        scorer = EngineScorer(engine)
        parity = compare_scores(
            reference.scores(queries.histories), scorer.scores(queries.histories), queries.histories
        )
        gains = self._gains[precision] = self.models.gains(scorer)
        return Variant(
            **asdict(precision),
            ndcg=float(gains.mean()),
            ndcg_error=paired_error(gains, self._gains[FULL]),
            append_ms=undisturbed_ms(append_and_rank_ms(engine, self.longest_history)),
            append_difference=append_difference(scorer, queries.histories),
            size_bytes=len(contents.user_tower or b"") + rows_bytes(contents),
            parity=parity.as_dict(),
        )

    @property
    def longest_history(self) -> NDArray[np.int32]:
        """What is timed: the longest history among the validation queries."""
        return max(self.data.validation.histories, key=len)

    @functools.cached_property
    def item_tower(self) -> tuple[bytes, bytes, dict[str, Any]]:
        """The on-device item tower, its tokenizer, and how well it does on unseen items."""
        settings, seed = self.models.config.item_tower, self.models.config.run.seed
        student = self.models.student

        def make(folder: Path) -> None:
            with torch.inference_mode():
                targets = student.items.from_text().numpy()
            model, tokenizer, figures = made_item_tower(
                self.data.texts, targets, settings, seed, self._audience().level
            )
            (folder / "item_tower.onnx").write_bytes(model)
            (folder / "tokenizer.model").write_bytes(tokenizer)
            write_json(folder / "figures.json", {**figures, "bytes": len(model)})

        key = {
            **self.key,
            **self.models.trend.key,
            "item_tower": asdict(settings),
            "placed_among": TOP,
        }
        folder = self.models.run.stage("item-tower", key, make)
        return (
            (folder / "item_tower.onnx").read_bytes(),
            (folder / "tokenizer.model").read_bytes(),
            read_json(folder / "figures.json"),
        )

    def _audience(self) -> Audience:
        """Validation users: what they are shown places new items among known ones."""
        student, queries = self.models.student, self.models.choices
        with torch.inference_mode():
            table = student.item_vectors().numpy()
        users = SequenceScorer(student, self.models.window).user_vectors(queries.histories)
        return Audience(users, table, self.bias, queries.histories, queries.targets)

    def shipped(self, variant: Variant) -> BundleContents:
        """The chosen variant with item tower, calibration and golden queries."""
        item_tower, tokenizer, _ = self.item_tower
        contents = self.contents(variant, (item_tower, tokenizer))
        queries = self.models.choices
        scores = EngineScorer(Engine(assemble(contents))).scores(queries.histories)
        calibration = fit_calibration(
            scores, queries.histories, queries.targets, f"{len(queries)} validation queries"
        )
        calibrated = replace(contents, calibration=calibration, user_tower_gguf=self._gguf(variant))
        histories = golden_histories(self.data.item_ids, self.models.window, self.models.seed)
        return record_golden(calibrated, histories)

    def _gguf(self, variant: Precision) -> bytes | None:
        """The user tower for llama.cpp, where the settings ask for it."""
        precision = self.models.config.export.gguf
        if precision == "none":
            return None
        student = rounded_tower(self.made(variant), variant)
        return export_gguf(student, self.models.window, cast(GgufPrecision, precision))
