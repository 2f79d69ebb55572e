"""The run's base LLM: as it is, or after continued pretraining."""

from pathlib import Path
from typing import TYPE_CHECKING

from pocketrec_distill.llm.base import BaseLlm, decoder_blocks, load_base_llm, load_causal_llm
from pocketrec_distill.pipeline.stages import write_json
from pocketrec_distill.pretrain import load_pretrained, pretrain

if TYPE_CHECKING:
    from pocketrec_distill.pipeline.models import RunModels


def base_llm(models: "RunModels") -> BaseLlm:
    """The base LLM of the settings; where `[pretrain]` is on, with what its stage learned."""
    settings = models.config.llm
    if not models.config.pretrain.enabled:
        return load_base_llm(settings.model, settings.precision, models.device)

    def make(folder: Path) -> None:
        llm = load_causal_llm(settings.model, settings.precision, models.device)
        depth = len(decoder_blocks(llm.lm.base_model))
        curve = pretrain(
            llm,
            models.data.texts,
            models.data.train,
            models.config.pretrain,
            layer=settings.layer or max(1, round(depth / 3)),
            max_tokens=settings.max_tokens,
            seed=models.seed,
            folder=folder,
        )
        write_json(folder / "curve.json", [step.as_dict() for step in curve])

    folder = models.run.stage("pretrain", models.stage_key("llm"), make)
    return load_pretrained(settings.model, settings.precision, folder, models.device)
