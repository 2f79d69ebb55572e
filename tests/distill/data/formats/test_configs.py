"""Every file in configs/ parses, and prepares a miniature of its format."""

import tomllib
from pathlib import Path

import pytest

from pocketrec_distill.config import load_config
from pocketrec_distill.data.formats import FORMATS
from pocketrec_distill.pipeline.prepare import prepare

from .miniatures import MINIATURES

ROOT = Path(__file__).parents[4]
CONFIGS = sorted(ROOT.joinpath("configs").glob("*.toml"))
# Configurations for other readings, and other sizes, of the same files.
LAYOUTS = {
    "hetrec-lastfm-tags": "hetrec-lastfm",
    "movielens-small": "movielens",
    "movielens-25m": "movielens",
}


def test_every_published_format_has_a_configuration() -> None:
    formats = {
        tomllib.loads(path.read_text(encoding="utf-8"))["data"]["format"] for path in CONFIGS
    }
    # RecBole's files stand for many sets; the settings decide there.
    assert {LAYOUTS.get(form, form) for form in formats} == set(FORMATS) - {"recbole"}


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_configuration_prepares_its_data(path: Path, tmp_path: Path) -> None:
    config = load_config(path)
    MINIATURES[LAYOUTS.get(config.data.format, config.data.format)](tmp_path)
    said: list[str] = []
    data = prepare(tmp_path, None, config, said.append)
    assert len(data.test) > 0
    assert len(data.validation) > 0
    assert all(data.texts)
    assert "rows read" in said[0]
    assert config.run.license != "unspecified"


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_configuration_says_its_command_and_no_machine(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert f"--config configs/{path.name}" in text
    assert " /" not in text
    page = ROOT.joinpath("docs", "data.md").read_text(encoding="utf-8")
    assert f"`configs/{path.name}`" in page
