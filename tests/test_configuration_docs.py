"""docs/configuration.md says what the settings are, and its example is one that loads."""

import dataclasses
import importlib.util
import re
import tomllib
from pathlib import Path

from pocketrec_distill.config import DistillConfig, config_from_mapping

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "configuration.md"


def generator():
    spec = importlib.util.spec_from_file_location("config_docs", ROOT / "scripts/config_docs.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_page_is_up_to_date() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert generator().render(page) == page, "run: make docs"


def test_every_setting_is_described() -> None:
    described = generator().described
    for part in dataclasses.fields(DistillConfig):
        kind = type(getattr(DistillConfig(), part.name))
        assert set(described(kind)) == {field.name for field in dataclasses.fields(kind)}


def test_example_loads() -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    config = config_from_mapping(tomllib.loads(example))
    assert config.student.width == 128
    assert config.text.template.startswith("{title}")
