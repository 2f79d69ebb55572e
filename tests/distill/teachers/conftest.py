"""Fixtures of the teacher tests."""

from pathlib import Path

import pytest

from .kinds import KINDS, Kind


@pytest.fixture(params=sorted(KINDS))
def kind(request: pytest.FixtureRequest, llm_folder: Path, tmp_path: Path) -> Kind:
    """Every kind of teacher, one after the other."""
    folder = tmp_path / "kind"
    folder.mkdir()
    return KINDS[request.param](llm_folder, folder)
