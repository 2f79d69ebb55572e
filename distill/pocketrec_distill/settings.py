"""Sections of the configuration that belong to the pipeline; each is validated when made."""

from dataclasses import asdict, dataclass

from pocketrec_distill.checks import below_one, not_negative, one_of, positive, share
from pocketrec_distill.errors import ConfigError
from pocketrec_distill.llm.adapters import AdapterShape
from pocketrec_distill.llm.base import DEFAULT_MODEL, PRECISIONS
from pocketrec_distill.models.llama import TowerShape
from pocketrec_distill.placement import CHOICES, known_device
from pocketrec_distill.presets import preset_shape
from pocketrec_distill.training.settings import (
    DEFAULT_CANDIDATES,
    FULL_CATALOGUE_ITEMS,
    LOSSES,
)


@dataclass(frozen=True)
class RunSettings:
    """The run as a whole.

    Attributes:
        seed: Of every random choice.
        threads: Threads of torch; 0 takes all cores.
        device: Where models are trained and teachers score: "auto" (a CUDA device where there is
            one), "cpu", "cuda" or "cuda:N". What is shipped is measured on the CPU all the same.
        window: Longest history, in events, that any user tower reads.
        precision: "auto", "fp32" or "bf16": of the products of user and item vectors in training.
            "auto" takes bfloat16 where the device multiplies it in hardware; sums stay float32.
        split: "leave-one-out" or "temporal".
        cold_share: Share of the items whose events are all held out, to measure how their text
            alone ranks them; they stay outside the catalogue. 0 holds out none.
        refit: Whether the bundle, and the teacher of `--teacher-out`, are made once more from every
            event, those that measure it too, with all that validation chose. The report's figures
            are of the run that held events out. Takes about as long again.
        license: Licence text written into the bundle; the catalogue and the base LLM decide it.
        ray: Ray workers that encode the catalogue and label for the student; 0 does it in this
            process. The results are the same; needs the extra ray.
    """

    seed: int = 0
    threads: int = 0
    device: str = "auto"
    window: int = 50
    precision: str = "auto"
    split: str = "leave-one-out"
    cold_share: float = 0.0
    refit: bool = False
    license: str = "unspecified"
    ray: int = 0

    def __post_init__(self) -> None:
        positive("run", self, "window")
        not_negative("run", self, "seed", "threads", "ray")
        if not known_device(self.device):
            raise ConfigError(f"[run] device is {self.device!r}; choose {CHOICES}")
        one_of("run", self, PRECISIONS, "precision")
        one_of("run", self, ("leave-one-out", "temporal"), "split")
        if not 0 <= self.cold_share <= 0.5:
            raise ConfigError(f"[run] cold_share is {self.cold_share}; give 0 to 0.5, such as 0.1")
        if self.refit and self.cold_share:
            raise ConfigError(
                f"[run] refit takes every event, cold_share {self.cold_share} holds some out for "
                "good; measure with the one, then ship with the other"
            )


@dataclass(frozen=True)
class TextSettings:
    """How items become text.

    Attributes:
        template: Such as "{title} ({year}). Genres: {genres}"; empty builds it from all columns.
        lexical: Length of the vector of an item's words (latent semantic analysis) that stands
            beside its LLM states; 0 adds none.
    """

    template: str = ""
    lexical: int = 0

    def __post_init__(self) -> None:
        not_negative("text", self, "lexical")


@dataclass(frozen=True)
class LlmSettings:
    """The base LLM.

    Attributes:
        model: Name, folder, GGUF file or hub id; see `load_base_llm`.
        layer: Block whose states are pooled; 0 takes the block at a third of the depth.
        max_tokens: Tokens kept of an item's text.
        precision: "auto", "fp32" or "bf16".
    """

    model: str = DEFAULT_MODEL
    layer: int = 0
    max_tokens: int = 128
    precision: str = "auto"

    def __post_init__(self) -> None:
        positive("llm", self, "max_tokens")
        not_negative("llm", self, "layer")
        one_of("llm", self, PRECISIONS, "precision")


@dataclass(frozen=True)
class TeacherSettings:
    """The LLM teacher.

    Attributes:
        width: Length of its item vectors; those of the control start it where it has the same.
        blocks: Decoder blocks kept, first to last, at most; 0 keeps all. Twelve of SmolLM2's
            thirty keep its fine-tuning within minutes on two cores.
        rank: Rank of the LoRA updates; of AdaLoRA the mean rank at the end; of prefix tuning the
            number of virtual positions.
        dropout: Dropout on item vectors.
        epochs: Passes over the data; the step size falls to nearly 0 at the last one.
        patience: Passes without a better validation NDCG@10 before training stops.
        batch: Sequences per step.
        pass_positions: Positions of one pass at most, on average, of sequences drawn anew each
            time; 0 takes all. It bounds the time of the slowest stage on large data.
        learning_rate: Highest step size of the new layers.
        adapter_rate: Step size of the adapter over that of the new layers.
        adapter: "lora", "adalora", "ia3" or "prefix".
        checkpointing: Compute activations again in the backward pass, to save memory.
    """

    width: int = 128
    blocks: int = 12
    rank: int = 16
    dropout: float = 0.3
    epochs: int = 2
    patience: int = 2
    batch: int = 32
    pass_positions: int = 100_000
    learning_rate: float = 1e-3
    adapter_rate: float = 0.5
    adapter: str = "lora"
    checkpointing: bool = False

    def __post_init__(self) -> None:
        positive("teacher", self, "width", "rank", "epochs", "patience", "batch", "learning_rate")
        not_negative("teacher", self, "blocks", "adapter_rate", "pass_positions")
        below_one("teacher", self, "dropout")
        try:
            AdapterShape(self.adapter, self.rank, checkpointing=self.checkpointing)
        except ConfigError as error:
            raise ConfigError(f"[teacher] {error}") from error


STARTS = ("random", "linear")


@dataclass(frozen=True)
class StudentSettings:
    """The tiny student: its shape, which the control shares, and how it is distilled.

    Attributes:
        preset: Sizes by name: "nano" (32 wide, 1 block), "micro" (64, 2), "small" (128, 2),
            "medium" (256, 2), or "llm" (blocks kept from the teacher, see `[llm_student]`).
        width: Length of item and user vectors; 0 takes the preset's, as below.
        blocks: Llama blocks.
        heads: Query heads.
        kv_heads: Key/value heads.
        hidden: Inner width of the feed-forward layers.
        start: "linear" as the linear model among the teachers, "random" as chance has it.
        dropout: Dropout while it is distilled; labels of synthetic histories regularise enough.
        id_dropout: Share of the items that stand by their text alone in a training step; more of
            it ranks new items better.
        epochs: Passes over the data; the step size falls to nearly 0 at the last one.
        patience: Passes that are worse than the one kept, by validation NDCG@10, before training
            stops.
        batch: Sequences per step at most.
        positions: Positions per step at most, on average: long histories make small batches.
        pass_positions: Positions of one pass at most, on average, of sequences drawn anew each
            time; 0 takes all. It bounds the time of a pass on large data.
        average: Decay per step of the running average of weights that is validated and kept.
        learning_rate: AdamW's highest step size.
        weight_decay: AdamW's decay of matrices.
    """

    preset: str = "small"
    width: int = 0
    blocks: int = 0
    heads: int = 0
    kv_heads: int = 0
    hidden: int = 0
    start: str = "linear"
    dropout: float = 0.0
    id_dropout: float = 0.0
    epochs: int = 6
    patience: int = 6
    batch: int = 192
    positions: int = 1024
    pass_positions: int = 500_000
    average: float = 0.98
    learning_rate: float = 4e-3
    weight_decay: float = 0.01

    def __post_init__(self) -> None:
        names = ("epochs", "patience", "batch", "positions", "learning_rate")
        positive("student", self, *names)
        not_negative("student", self, "weight_decay", "pass_positions")
        below_one("student", self, "dropout", "id_dropout", "average")
        one_of("student", self, STARTS, "start")
        try:
            for name, value in asdict(preset_shape(self.preset)).items():
                if getattr(self, name) == 0:
                    object.__setattr__(self, name, value)
            TowerShape(self.width, self.blocks, self.heads, self.kv_heads, self.hidden)
        except ConfigError as error:
            raise ConfigError(f"[student] {error}") from error


@dataclass(frozen=True)
class ControlSettings:
    """How the control (the student's shape without a teacher) and SASRec are trained.

    Attributes:
        dropout: Dropout on inputs, attention and block outputs.
        epochs: Most passes over the data.
        patience: Passes without a better validation NDCG@10 before training stops; two in a row
            that are worse beyond doubt stop it too.
        batch: Sequences per step at most.
        positions: Positions per step at most, on average: long histories make small batches, so
            that a step weighs alike whatever the data.
        pass_positions: Positions of one pass at most, on average, of sequences drawn anew each
            time; 0 takes all. It bounds the time of a pass on large data.
        average: Decay per step of the running average of weights that is validated and kept.
        learning_rate: AdamW's step size.
        weight_decay: AdamW's decay of matrices.
    """

    dropout: float = 0.3
    epochs: int = 60
    patience: int = 8
    batch: int = 64
    positions: int = 2048
    pass_positions: int = 250_000
    average: float = 0.98
    learning_rate: float = 2e-3
    weight_decay: float = 0.01

    def __post_init__(self) -> None:
        positive("control", self, "epochs", "patience", "batch", "positions", "learning_rate")
        not_negative("control", self, "weight_decay", "pass_positions")
        below_one("control", self, "dropout", "average")


@dataclass(frozen=True)
class DistillationSettings:
    """What the student learns from the teacher.

    Attributes:
        teacher_weight: Share of the teacher's KL in the loss, 0 to 1.
        temperature: The teacher's scores are divided by it before the student learns them: below 1
            it learns more of the head of the list. 0 chooses the highest one up to 1 at which the
            teacher's best ten items hold half of its probability.
        max_label_bytes: Disk that cached teacher scores may take; beyond it only the newest
            positions of each history are labelled.
        loss: What the student takes from the teacher's scores: "kl" over the whole catalogue,
            "closure" (the teacher's best items, the student's own and drawn ones stand for the
            rest), "ranking" (DLLM2Rec's weights), or "top-k" (the teacher's best items
            among themselves). "auto" is "kl" up to 50,000 items, "closure" above.
        candidates: The teacher's best unseen items per position that are labelled; the rest of the
            catalogue is one more outcome. 0 labels every item, up to 50,000.
        labelled_positions: Synthetic histories fill the real ones up to so many labelled positions:
            there the teacher shows its function, not what it memorised. 0 makes none.
        own: The student's own top items that a closed set holds.
        samples: Drawn items that a closed set holds.
    """

    teacher_weight: float = 0.9
    temperature: float = 0.0
    max_label_bytes: int = 1 << 30
    loss: str = "auto"
    candidates: int = 200
    labelled_positions: int = 250_000
    own: int = 50
    samples: int = 1024

    def __post_init__(self) -> None:
        positive("distillation", self, "max_label_bytes", "own", "samples")
        not_negative("distillation", self, "temperature", "candidates", "labelled_positions")
        one_of("distillation", self, LOSSES, "loss")
        share("distillation", self, "teacher_weight")

    def labelled(self, items: int) -> int:
        """Labelled candidates per position in a catalogue of `items`; 0 labels every item."""
        if self.candidates and self.loss != "kl":
            return self.candidates if self.candidates < items - 1 else 0
        return 0 if items <= FULL_CATALOGUE_ITEMS else DEFAULT_CANDIDATES


@dataclass(frozen=True)
class ExportSettings:
    """What stands in the bundle beside the ONNX models.

    Attributes:
        gguf: How `user_tower.gguf` for llama.cpp stores matrices: "F32", "F16", "Q8_0" or "Q4_0";
            "none" writes no such file.
    """

    gguf: str = "none"

    def __post_init__(self) -> None:
        one_of("export", self, ("none", "F32", "F16", "Q8_0", "Q4_0"), "gguf")
