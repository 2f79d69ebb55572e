"""Loading the base LLM: what is frozen, what the fingerprint sees, and what is refused."""

import json
import shutil
import sys
from pathlib import Path

import pytest
import torch

from pocketrec_distill.errors import SourceError
from pocketrec_distill.llm import BaseLlm, load_base_llm
from pocketrec_distill.llm.base import compute_dtype, decoder_blocks


@pytest.fixture
def copied(llm_folder: Path, tmp_path: Path) -> Path:
    """A copy of the tiny LLM, free to be changed."""
    return Path(shutil.copytree(llm_folder, tmp_path / "copied"))


def test_loads_frozen_without_its_head(llm: BaseLlm) -> None:
    assert (llm.width, len(llm.blocks)) == (32, 2)
    assert not llm.backbone.training
    assert not any(p.requires_grad for p in llm.backbone.parameters())
    assert type(llm.backbone).__name__ == "LlamaModel"
    ids = llm.tokenizer("the stars", return_tensors="pt")["input_ids"]
    assert llm.backbone(input_ids=ids).last_hidden_state.shape == (1, ids.shape[1], 32)


def test_a_tokenizer_without_padding_pads_with_the_end(llm: BaseLlm) -> None:
    assert llm.tokenizer.pad_token == "<end>"
    batch = llm.tokenizer(["a", "a star"], padding=True)
    assert len({len(row) for row in batch["input_ids"]}) == 1


def test_precision_is_what_was_asked(llm_folder: Path) -> None:
    for precision, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        assert compute_dtype(precision) == dtype
        assert load_base_llm(str(llm_folder), precision).backbone.dtype == dtype
    assert compute_dtype("auto") in (torch.float32, torch.bfloat16)


def test_the_fingerprint_is_the_contents(llm: BaseLlm, copied: Path) -> None:
    assert load_base_llm(str(copied), "fp32").fingerprint == llm.fingerprint
    (copied / "README.md").write_text("of no consequence")
    assert load_base_llm(str(copied), "fp32").fingerprint == llm.fingerprint


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "config.json"])
def test_a_changed_byte_changes_the_fingerprint(llm: BaseLlm, copied: Path, name: str) -> None:
    path = copied / name
    data = bytearray(path.read_bytes())
    if name.endswith("json"):
        data += b"\n"
    else:
        data[-1] ^= 1
    path.write_bytes(data)
    assert load_base_llm(str(copied), "fp32").fingerprint != llm.fingerprint


@pytest.mark.parametrize(
    "model", ["/no/such/model", "./missing", "~/missing", "a/b/c", "missing.gguf"]
)
def test_a_path_to_nothing_is_named(model: str) -> None:
    with pytest.raises(SourceError, match=model):
        load_base_llm(model)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot load a causal LM"):
        load_base_llm(str(tmp_path))


def test_a_folder_without_weights_is_refused(copied: Path) -> None:
    (copied / "model.safetensors").unlink()
    with pytest.raises(SourceError, match="cannot load a causal LM"):
        load_base_llm(str(copied))


def test_half_written_weights_are_refused(copied: Path) -> None:
    path = copied / "model.safetensors"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(SourceError, match="cannot load a causal LM"):
        load_base_llm(str(copied))


def test_pickled_weights_are_refused(copied: Path) -> None:
    weights = {"model.norm.weight": torch.ones(32)}
    torch.save(weights, copied / "pytorch_model.bin")
    (copied / "model.safetensors").unlink()
    with pytest.raises(SourceError, match="cannot load a causal LM"):
        load_base_llm(str(copied))


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_code_in_a_model_folder_is_never_run(
    copied: Path, file: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    (copied / "own.py").write_text(f"open({str(ran)!r}, 'w').close()\n")
    path = copied / file
    document = json.loads(path.read_text())
    names = ("AutoConfig", "AutoModelForCausalLM", "AutoTokenizer")
    document["auto_map"] = dict.fromkeys(names, "own.Own")
    if file == "tokenizer_config.json":
        document["auto_map"] = {"AutoTokenizer": ["own.Own", None]}
        document["tokenizer_class"] = "Own"
        # With a known kind of model, transformers would not need the folder's own class.
        config = json.loads((copied / "config.json").read_text())
        (copied / "config.json").write_text(json.dumps({**config, "model_type": "unheard_of"}))
    else:
        document["model_type"] = "unheard_of"
    path.write_text(json.dumps(document))
    # Whoever answers yes to everything must not be asked.
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    with pytest.raises(SourceError, match="cannot load a causal LM"):
        load_base_llm(str(copied))
    assert not ran.exists()
    assert not any(name.endswith(".own") for name in sys.modules)


def test_no_list_of_blocks_is_an_error(llm: BaseLlm) -> None:
    llm.backbone.config.num_hidden_layers = 5
    with pytest.raises(SourceError, match="LlamaModel has no list of 5 decoder blocks"):
        decoder_blocks(llm.backbone)
