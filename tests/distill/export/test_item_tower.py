"""The exported item tower through the runtime, against PyTorch."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import sentencepiece
import torch

from pocketrec_distill.export import export_item_tower
from pocketrec_distill.models import TowerShape
from pocketrec_distill.models.item_tower import ItemTower
from pocketrec_distill.training.item_tower import encode, tokenize, train_tokenizer
from pocketrec_runtime.towers import OnnxItemTower

TEXTS = ["red lamp", "七人の侍", "", "a stapler that is red and heavy", "lamp"]
WIDTH, MAX_TOKENS = 5, 9


@pytest.fixture(scope="module")
def parts() -> tuple[ItemTower, bytes, bytes]:
    tokenizer = train_tokenizer(["red lamp", "heavy stapler", "blue chair and a lamp"], 350)
    size = sentencepiece.SentencePieceProcessor(model_proto=tokenizer).get_piece_size()
    torch.manual_seed(1)
    shape = TowerShape(width=16, blocks=2, heads=2, kv_heads=1, hidden=24)
    tower = ItemTower(size, shape, WIDTH).eval()
    return tower, tokenizer, export_item_tower(tower)


def opened(tokenizer: bytes, model: bytes) -> OnnxItemTower:
    return OnnxItemTower(model, tokenizer, width=WIDTH, max_tokens=MAX_TOKENS)


def test_equals_pytorch(parts: tuple[ItemTower, bytes, bytes]) -> None:
    tower, tokenizer, model = parts
    processor = sentencepiece.SentencePieceProcessor(model_proto=tokenizer)
    expected = encode(tower, tokenize(processor, TEXTS, MAX_TOKENS)).numpy()
    found = opened(tokenizer, model).encode(TEXTS)
    print(f"item tower: max {np.abs(found - expected).max():.2e}")  # noqa: T201  (says how close)
    assert found.shape == (5, WIDTH)
    assert np.abs(found - expected).max() < 1e-5
    assert np.abs(found[0] - found[4]).max() > 1e-2


def test_batch_equals_single(parts: tuple[ItemTower, bytes, bytes]) -> None:
    tower = opened(parts[1], parts[2])
    alone = np.concatenate([tower.encode([text]) for text in TEXTS])
    np.testing.assert_allclose(tower.encode(TEXTS), alone, atol=1e-5)


def test_ports_are_the_contracts(parts: tuple[ItemTower, bytes, bytes]) -> None:
    graph = onnx.load_model_from_string(parts[2]).graph
    ((token_ids,), (item_vector,)) = (list(graph.input), list(graph.output))
    for value, name, kind, dims in (
        (token_ids, "token_ids", onnx.TensorProto.INT64, ["batch", "tokens"]),
        (item_vector, "item_vector", onnx.TensorProto.FLOAT, ["batch", WIDTH]),
    ):
        assert value.name == name
        assert value.type.tensor_type.elem_type == kind
        found = value.type.tensor_type.shape.dim
        assert [d.dim_param or d.dim_value for d in found] == dims


def test_nothing_of_this_machine_is_in_the_bytes(parts: tuple[ItemTower, bytes, bytes]) -> None:
    root = Path(__file__).parents[3]
    for secret in (str(root), str(Path.home()), "site-packages", ".py", "pocketrec_distill"):
        assert secret.encode() not in parts[2], secret
        assert secret.encode() not in parts[1], secret
