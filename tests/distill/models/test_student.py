"""The student's tower: its cache, its padding, and its kinship with transformers' Llama."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pocketrec_distill.errors import ConfigError
from pocketrec_distill.models import TowerShape
from pocketrec_distill.models.llama import causal_mask, rotary_tables
from pocketrec_distill.models.student import ItemVectors, Student, standardised

ITEMS = 13
SHAPES = {
    "one kv head each": TowerShape(width=24, blocks=2, heads=3, kv_heads=3, hidden=20),
    "grouped": TowerShape(width=32, blocks=3, heads=4, kv_heads=2, hidden=40),
    "multi-query": TowerShape(width=16, blocks=1, heads=4, kv_heads=1, hidden=12),
}


@pytest.fixture(params=SHAPES.values(), ids=SHAPES.keys())
def student(request: pytest.FixtureRequest) -> Student:
    return made(request.param)


def made(shape: TowerShape) -> Student:
    torch.manual_seed(2)
    student = Student(ITEMS, shape, None).eval()
    for parameter in student.parameters():
        # Norm gains away from one, so that a gain left out shows.
        torch.nn.init.normal_(parameter, mean=1.0 if parameter.ndim == 1 else 0.0, std=0.3)
    return student


def empty_cache(shape: TowerShape, batch: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    empty = torch.zeros(batch, shape.kv_heads, 0, shape.head_dim)
    return [(empty, empty)] * shape.blocks


def difference(name: str, a: torch.Tensor, b: torch.Tensor) -> float:
    gap = (a - b).abs()
    print(f"{name}: max {gap.max():.2e}, mean {gap.mean():.2e}")  # noqa: T201  (says how close)
    return float(gap.max())


@torch.inference_mode()
def test_step_by_step_equals_forward(student: Student) -> None:
    events = torch.randn(2, 7, student.shape.width)
    whole = student(events)
    cache, at = empty_cache(student.shape, 2), 0
    for length in (3, 1, 1, 2):
        user, cache = student.step(events[:, at : at + length], cache)
        at += length
        assert difference(f"{at} events", user, whole[:, at - 1]) < 1e-5
        shape = (2, student.shape.kv_heads, at, student.shape.head_dim)
        assert all(part.shape == shape for pair in cache for part in pair)


@torch.inference_mode()
def test_batch_equals_single(student: Student) -> None:
    events = torch.randn(3, 5, student.shape.width)
    single = torch.cat([student(event[None]) for event in events])
    assert difference("batch", student(events), single) < 1e-5


@torch.inference_mode()
def test_the_future_changes_nothing(student: Student) -> None:
    events = torch.randn(2, 6, student.shape.width)
    other = events.clone()
    other[:, 4:] = torch.randn(2, 2, student.shape.width)
    before, after = student(events), student(other)
    assert difference("past", before[:, :4], after[:, :4]) < 1e-6
    assert difference("future", before[:, 4:], after[:, 4:]) > 1e-2


@torch.inference_mode()
def test_the_order_of_the_past_changes_something(student: Student) -> None:
    events = torch.randn(1, 4, student.shape.width)
    swapped = events[:, [1, 0, 2, 3]]
    assert difference("order", student(events)[:, -1], student(swapped)[:, -1]) > 1e-3


@torch.inference_mode()
def test_equals_the_llama_of_transformers(student: Student) -> None:
    from transformers import LlamaConfig, LlamaModel

    shape = student.shape
    llama = LlamaModel(
        LlamaConfig(
            vocab_size=1,
            hidden_size=shape.width,
            intermediate_size=shape.hidden,
            num_hidden_layers=shape.blocks,
            num_attention_heads=shape.heads,
            num_key_value_heads=shape.kv_heads,
            rms_norm_eps=1e-5,
            rope_theta=10000.0,
        )
    ).eval()
    names = {
        "attention_norm": "input_layernorm",
        "attention.query": "self_attn.q_proj",
        "attention.key": "self_attn.k_proj",
        "attention.value": "self_attn.v_proj",
        "attention.output": "self_attn.o_proj",
        "feed_norm": "post_attention_layernorm",
        "feed.gate": "mlp.gate_proj",
        "feed.up": "mlp.up_proj",
        "feed.down": "mlp.down_proj",
    }
    for block, layer in zip(student.blocks, llama.layers, strict=True):
        ours = block.state_dict()
        layer.load_state_dict({f"{b}.weight": ours.pop(f"{a}.weight") for a, b in names.items()})
        assert not ours
    llama.norm.load_state_dict(student.norm.state_dict())
    events = torch.randn(2, 9, shape.width)
    expected = llama(inputs_embeds=events * student.input_scale).last_hidden_state
    assert difference("transformers", student(events), expected) < 1e-5


def test_rotary_by_hand() -> None:
    cos, sin = rotary_tables(torch.tensor([0, 3]), head_dim=4)
    # Frequencies 1 and 1 / 100, each for one pair of halves.
    angles = torch.tensor([[0, 0, 0, 0], [3, 0.03, 3, 0.03]])
    torch.testing.assert_close(cos, angles.cos())
    torch.testing.assert_close(sin, angles.sin())


def test_causal_mask_by_hand() -> None:
    mask = causal_mask(2, 3, torch.device("cpu"))
    assert mask.tolist() == [[True] * 4 + [False], [True] * 5]


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"width": 0}, "width is 0"),
        ({"blocks": 0}, "blocks is 0"),
        ({"heads": -1}, "heads is -1"),
        ({"kv_heads": 0}, "kv_heads is 0"),
        ({"hidden": 0}, "hidden is 0"),
        ({"width": 64, "heads": 3, "kv_heads": 3}, "width 64 over 3 heads"),
        # A head of 5 has no halves to rotate.
        ({"width": 10, "heads": 2}, "width 10 over 2 heads"),
        ({"width": 48, "heads": 4, "kv_heads": 3}, "heads 4 does not divide by kv_heads 3"),
    ],
)
def test_a_shape_that_fits_nothing_is_refused(sizes: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        TowerShape(**sizes)


def test_text_states_are_standardised() -> None:
    # One dimension a thousand times the others, one that never changes.
    states = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32)
    states[:, 1] = states[:, 1] * 1000 + 500
    states[:, 4] = 3.0
    rows = standardised(states)
    assert torch.isfinite(rows).all()
    torch.testing.assert_close(rows.mean(dim=0), torch.zeros(6), atol=1e-5, rtol=0)
    spread = torch.full((6,), 6**-0.5)
    spread[4] = 0.0
    torch.testing.assert_close(rows.std(dim=0, correction=0), spread, atol=1e-4, rtol=0)


def test_item_vectors_are_text_plus_residual() -> None:
    states = np.random.default_rng(0).normal(size=(ITEMS, 6)).astype(np.float32)
    vectors = ItemVectors(ITEMS, 16, states)
    expected = torch.from_numpy(states) @ vectors.projection.weight.T
    torch.testing.assert_close(vectors.from_text(), expected)
    torch.testing.assert_close(vectors(), expected + vectors.residual)
    ids_only = ItemVectors(ITEMS, 16, None)
    torch.testing.assert_close(ids_only(), ids_only.residual)
    assert not ids_only.from_text().any()


def test_save_and_load_give_equal_vectors(tmp_path: Path) -> None:
    states = np.random.default_rng(0).normal(size=(ITEMS, 6)).astype(np.float32)
    shape = SHAPES["grouped"]
    saved, loaded = (Student(ITEMS, shape, states).eval() for _ in range(2))
    events = torch.randn(1, 4, shape.width)
    assert not torch.equal(saved(events), loaded(events))
    saved.save(tmp_path)
    loaded.load(tmp_path)
    assert torch.equal(saved(events), loaded(events))
    assert torch.equal(saved.item_vectors(), loaded.item_vectors())
    # The LLM's states belong to the run, not to the student.
    assert b'"items.text"' not in (tmp_path / "model.safetensors").read_bytes()


def test_matrices_decay_and_norms_do_not() -> None:
    student = made(SHAPES["grouped"])
    matrices, rest = student.parameter_groups(0.02, 0.3)
    assert (matrices["lr"], rest["lr"]) == (0.02, 0.02)
    assert (matrices["weight_decay"], rest["weight_decay"]) == (0.3, 0.0)
    # 1 table, 7 matrices in each of 3 blocks; 2 norms in each block and the last one.
    assert [len(group["params"]) for group in (matrices, rest)] == [22, 7]
    assert all(p.ndim == 1 for p in rest["params"])


def test_id_dropout_leaves_some_items_their_text_alone_while_training() -> None:
    states = np.random.default_rng(0).normal(size=(200, 6)).astype(np.float32)
    vectors = ItemVectors(200, 4, states, id_dropout=0.25)
    with torch.no_grad():
        vectors.residual.add_(5.0)
        torch.manual_seed(0)
        found = vectors() - vectors.from_text()
        alone = found.abs().amax(dim=1) < 1e-5
        assert 30 <= int(alone.sum()) <= 70
        # All of an item's residual goes, or none of it.
        assert torch.allclose(found[~alone], vectors.residual[~alone], atol=1e-5)
        vectors.eval()
        assert torch.equal(vectors(), vectors.residual + vectors.from_text())
