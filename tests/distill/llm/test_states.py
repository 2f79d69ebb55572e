"""Pooled states: equal to a plain forward pass, kept on disk, resumed where they stopped."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pocketrec_distill.errors import ConfigError, SourceError
from pocketrec_distill.llm import BaseLlm, pooled_states, states

TEXTS = ["star wars", "the red alert of the stars", "七人の侍", "x", "star wars", "عنصر red"]


class Counted:
    """How many texts went through the LLM, and optionally a failure at some forward pass."""

    def __init__(self, llm: BaseLlm, fail_at: int = 0) -> None:
        self.calls: list[int] = []
        self.fail_at = fail_at
        self.handle = llm.backbone.register_forward_pre_hook(self._count, with_kwargs=True)

    def _count(self, _module: torch.nn.Module, _args: tuple[()], inputs: dict[str, Any]) -> None:
        self.calls.append(len(inputs["input_ids"]))
        if len(self.calls) == self.fail_at:
            raise KeyboardInterrupt


def pooled(llm: BaseLlm, cache: Path, texts: list[str] = TEXTS, **options: int) -> np.ndarray:
    return pooled_states(llm, texts, **{"layer": 1, "max_tokens": 16, **options}, cache=cache)


def direct(llm: BaseLlm, text: str, layer: int, max_tokens: int) -> np.ndarray:
    """Mean of the hidden states of one text alone, so that there is no padding to mask."""
    batch = llm.tokenizer(text, return_tensors="pt", truncation=True, max_length=max_tokens)
    with torch.inference_mode():
        output = llm.backbone(input_ids=batch["input_ids"], output_hidden_states=True)
    return output.hidden_states[layer][0].mean(dim=0).numpy()


@pytest.mark.parametrize("max_tokens", [3, 16])
def test_equals_a_plain_forward_pass(llm: BaseLlm, tmp_path: Path, max_tokens: int) -> None:
    found = pooled(llm, tmp_path / "c.sqlite", max_tokens=max_tokens)
    expected = np.stack([direct(llm, text, 1, max_tokens) for text in TEXTS])
    print(f"pooled: max {np.abs(found - expected).max():.2e}")  # noqa: T201  (says how close)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_last_layer_is_the_blocks_output_before_the_norm(llm: BaseLlm, tmp_path: Path) -> None:
    last = pooled(llm, tmp_path / "c.sqlite", layer=2)
    llm.backbone.norm = torch.nn.Identity()
    expected = np.stack([direct(llm, text, 2, 16) for text in TEXTS])
    np.testing.assert_allclose(last, expected, atol=1e-5)


def test_equal_texts_are_encoded_once(llm: BaseLlm, tmp_path: Path) -> None:
    counted = Counted(llm)
    found = pooled(llm, tmp_path / "c.sqlite")
    assert counted.calls == [5]
    np.testing.assert_array_equal(found[0], found[4])


def test_a_second_call_runs_nothing(llm: BaseLlm, tmp_path: Path) -> None:
    first = pooled(llm, tmp_path / "deep" / "c.sqlite")
    counted = Counted(llm)
    np.testing.assert_array_equal(pooled(llm, tmp_path / "deep" / "c.sqlite"), first)
    reverse = pooled(llm, tmp_path / "deep" / "c.sqlite", TEXTS[::-1])
    np.testing.assert_array_equal(reverse, first[::-1])
    assert counted.calls == []


def test_only_new_texts_run(llm: BaseLlm, tmp_path: Path) -> None:
    pooled(llm, tmp_path / "c.sqlite", TEXTS[:3])
    counted = Counted(llm)
    pooled(llm, tmp_path / "c.sqlite", [*TEXTS[:3], "new", "newer"])
    assert counted.calls == [2]


def test_whatever_changes_the_answer_changes_the_key(llm: BaseLlm, tmp_path: Path) -> None:
    cache = tmp_path / "c.sqlite"
    pooled(llm, cache)
    counted = Counted(llm)
    pooled(llm, cache, layer=2)
    pooled(llm, cache, max_tokens=15)
    pooled(replace(llm, fingerprint="another"), cache)
    llm.backbone.to(torch.bfloat16)
    pooled(llm, cache)
    assert counted.calls == [5, 5, 5, 5]


def test_an_interrupted_run_goes_on_where_it_stopped(
    llm: BaseLlm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(states, "BATCH", 2)
    whole = pooled(llm, tmp_path / "whole.sqlite")
    stopped = Counted(llm, fail_at=3)
    with pytest.raises(KeyboardInterrupt):
        pooled(llm, tmp_path / "c.sqlite")
    assert stopped.calls == [2, 2, 1]
    stopped.handle.remove()
    with closing(sqlite3.connect(tmp_path / "c.sqlite")) as database:
        assert database.execute("SELECT count(*) FROM states").fetchone() == (4,)
    counted = Counted(llm)
    np.testing.assert_array_equal(pooled(llm, tmp_path / "c.sqlite"), whole)
    assert counted.calls == [1]


def test_a_failure_leaves_the_llm_as_it_was(llm: BaseLlm, tmp_path: Path) -> None:
    failing = Counted(llm, fail_at=1)
    with pytest.raises(KeyboardInterrupt):
        pooled(llm, tmp_path / "c.sqlite")
    failing.handle.remove()
    assert not llm.blocks[0]._forward_hooks
    ids = llm.tokenizer("x", return_tensors="pt")["input_ids"]
    assert llm.backbone(input_ids=ids).last_hidden_state.shape[-1] == 32


def test_later_blocks_do_not_run(llm: BaseLlm, tmp_path: Path) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("block 2 ran")

    handle = llm.blocks[1].register_forward_pre_hook(refuse)
    assert np.isfinite(pooled(llm, tmp_path / "c.sqlite")).all()
    handle.remove()


def test_an_empty_text_is_finite(llm: BaseLlm, tmp_path: Path) -> None:
    assert np.isfinite(pooled(llm, tmp_path / "a.sqlite", ["", "star"])).all()
    assert np.isfinite(pooled(llm, tmp_path / "b.sqlite", [""])).all()
    assert pooled(llm, tmp_path / "c.sqlite", []).shape == (0, 32)


@pytest.mark.parametrize("layer", [0, -1, 3])
def test_a_layer_that_is_not_there_is_named(llm: BaseLlm, tmp_path: Path, layer: int) -> None:
    with pytest.raises(ConfigError, match=rf"layer is {layer}; this model has blocks 1 to 2"):
        pooled(llm, tmp_path / "c.sqlite", layer=layer)


def test_a_cache_that_is_no_database_is_named(llm: BaseLlm, tmp_path: Path) -> None:
    (tmp_path / "c.sqlite").write_text("not a database, and long enough to look at" * 20)
    with pytest.raises(SourceError, match=r"c\.sqlite"):
        pooled(llm, tmp_path / "c.sqlite")
