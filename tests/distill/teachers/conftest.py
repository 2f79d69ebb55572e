"""Fixtures of the teacher tests."""

from pathlib import Path

import pytest

from .kinds import KINDS, Kind


@pytest.fixture
def folders(llm_folder: Path, bert_folder: Path, tmp_path: Path) -> tuple[Path, Path, Path]:
    """What a kind is made from: an LLM, a BERT with its tokenizer, and an empty folder."""
    folder = tmp_path / "kind"
    folder.mkdir()
    return llm_folder, bert_folder, folder


@pytest.fixture(params=sorted(KINDS))
def kind(request: pytest.FixtureRequest, folders: tuple[Path, Path, Path]) -> Kind:
    """Every kind of teacher, one after the other."""
    return KINDS[request.param](*folders)
