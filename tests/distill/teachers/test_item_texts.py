"""What a text model reads: items cut at a token's end, the oldest events cut first."""

from pathlib import Path

import numpy as np
import pytest

from pocketrec_distill.errors import ConfigError, SourceError
from pocketrec_distill.llm import load_base_llm
from pocketrec_distill.teachers.item_texts import SEPARATOR, ItemTexts
from pocketrec_distill.teachers.prompt import DEFAULT_PROMPT, PromptTemplate


@pytest.fixture(scope="module")
def tokenizer(llm_folder: Path):
    """One token per byte, nearly."""
    return load_base_llm(str(llm_folder), "fp32").tokenizer


def lengths(tokenizer, texts: tuple[str, ...]) -> list[int]:
    return [len(tokenizer(text)["input_ids"]) for text in texts]


def test_texts_are_cut_at_a_token(tokenizer) -> None:
    found = ItemTexts.cut(["abcdef", "the  star\n wars", "q"], tokenizer, 4)
    assert found.texts[0] == "abcd"
    assert found.texts[2] == "q"
    # "the star wars": spaces of any kind are one; words that the tokenizer knows take fewer.
    assert "the star wars".startswith(found.texts[1])
    assert max(lengths(tokenizer, found.texts)) == 4
    spare = len(tokenizer(SEPARATOR)["input_ids"]) + 1
    assert found.lengths.tolist() == [n + spare for n in lengths(tokenizer, found.texts)]


def test_the_oldest_events_are_cut_first(tokenizer) -> None:
    texts = ItemTexts.cut(["aaaa", "bb", "cccccc"], tokenizer, 6)
    history = np.array([0, 1, 2, 1], np.int32)
    spare = len(tokenizer(SEPARATOR)["input_ids"]) + 1
    two = 2 + 6 + 2 * spare
    assert texts.history(history, 1000) == f"aaaa{SEPARATOR}bb{SEPARATOR}cccccc{SEPARATOR}bb"
    assert texts.history(history, two) == f"cccccc{SEPARATOR}bb"
    assert texts.history(history, two - 1) == "bb"
    # The newest event stays, however little room there is.
    assert texts.history(history, 0) == "bb"
    assert len(tokenizer(texts.history(history, two))["input_ids"]) <= two


def test_a_slow_tokenizer_is_refused() -> None:
    class Slow:
        is_fast = False

    with pytest.raises(SourceError, match="Slow is a slow tokenizer"):
        ItemTexts.cut(["a"], Slow(), 4)


def test_a_prompt_has_a_shared_part_and_a_part_of_its_own() -> None:
    prompt = PromptTemplate.parse("<{history}> and {candidate}?! {{yes}}")
    assert prompt.prefix("H") == "<H> and "
    assert prompt.suffix("C") == "C?! {yes}"
    shown = PromptTemplate.parse(DEFAULT_PROMPT)
    assert shown.prefix("H") + shown.suffix("C") == DEFAULT_PROMPT.format(
        history="H", candidate="C"
    )


@pytest.mark.parametrize(
    "text",
    [
        "{candidate} {history}",
        "{history}",
        "{history} {history} {candidate}",
        "{history} {candidate} {title}",
        "{history!r} {candidate}",
        "{history} {candidate:>9}",
        "{history} {candidate",
    ],
)
def test_a_prompt_that_cannot_be_shared_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="prompt"):
        PromptTemplate.parse(text)
