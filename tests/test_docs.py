"""The pages say what is: help texts, links, commands, keys and code."""

import importlib.util
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import click
import pytest

from pocketrec.cli import app
from pocketrec.cli.exits import ExitCode
from pocketrec_distill.report import METRICS, MODELS

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
TEXT = {path.name: path.read_text(encoding="utf-8") for path in PAGES}


def load_script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_help_texts_are_up_to_date() -> None:
    page = TEXT["cli.md"]
    assert page == load_script("cli_docs").render(page), "run: make docs"


def test_every_command_has_its_help_text() -> None:
    documented = load_script("cli_docs").documented(TEXT["cli.md"])
    assert documented == list(_commands("pocketrec", app))


def _commands(name: str, command: click.Command) -> Iterator[str]:
    """The command and those below it, in the order of use."""
    yield name
    if isinstance(command, click.Group):
        context = click.Context(command)
        for below in command.list_commands(context):
            found = command.get_command(context, below)
            assert found is not None
            yield from _commands(f"{name} {below}", found)


def test_a_stale_help_text_is_found() -> None:
    page = "<!-- help: pocketrec verify -->\nstale\n<!-- end -->\n"
    fresh = load_script("cli_docs").render(page)
    assert "Usage: pocketrec verify [OPTIONS] BUNDLE" in fresh
    assert "stale" not in fresh


def test_every_exit_code_is_documented() -> None:
    rows = re.findall(r"^\| (\d+) \| ", TEXT["cli.md"], re.M)
    assert [int(row) for row in rows] == [int(code) for code in ExitCode]


def test_every_schema_is_documented() -> None:
    source = "".join(p.read_text() for p in (ROOT / "sdk/pocketrec/cli").rglob("*.py"))
    used = set(re.findall(r'emit_(?:json|answer)\(\s*"(\w+)"', source))
    assert len(used) >= 9
    documented = set(re.findall(r"^\| `pocketrec\.(\w+)/1` \|", TEXT["cli.md"], re.M))
    assert used == documented


def test_every_key_of_a_report_is_documented(report_keys) -> None:
    for key in report_keys:
        assert f"`{key}`" in TEXT["report.md"], key


@pytest.fixture
def report_keys() -> list[str]:
    top = ("test", "validation", "retention", "comparisons", "parameters", "bundle_bytes")
    return [*MODELS, *METRICS, *top, "seconds", "peak_memory_bytes", "latency_ms"]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(page) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if not link.startswith(("https://", "#")):
            assert (page.parent / link.split("#")[0]).exists(), link


def test_the_pages_name_targets_that_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    blocks = "".join(
        block for text in TEXT.values() for block in re.findall(r"```bash\n(.*?)```", text, re.S)
    )
    commands = set(re.findall(r"^make ([a-z-]+)", blocks, re.M))
    assert {"demo", "test", "check"} <= commands
    assert commands <= targets


def run_python_of(page: str) -> int:
    blocks = re.findall(r"```python\n(.*?)```", TEXT[page], re.S)
    for code in blocks:
        exec(compile(code, page, "exec"), {})
    return len(blocks)


def test_the_python_of_the_readme_runs(tiny_bundle, tmp_path, monkeypatch, capsys) -> None:
    (tmp_path / "bundle").symlink_to(tiny_bundle)
    monkeypatch.chdir(tmp_path)
    assert run_python_of("README.md") == 2
    out = capsys.readouterr().out
    assert "Return of the Jedi" in out
    assert "device" in out


def test_the_python_of_the_sdk_guide_runs(tiny_bundle, tmp_path, monkeypatch, capsys) -> None:
    (tmp_path / "bundle").symlink_to(tiny_bundle)
    monkeypatch.chdir(tmp_path)
    assert run_python_of("sdk.md") == 4
    assert capsys.readouterr().out.splitlines()[0].split() == ["عنصر", "None"]


def tracked_files() -> list[Path]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=60)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.decode().split("\0") if name]


def test_no_file_names_a_machine_or_a_registry_host() -> None:
    # Spelt in parts, so that this file does not find itself.
    hosts = ["pypi" + r"\.org", "python" + "hosted", "registry" + r"\.npmjs"]
    machine = r"(?<![.\w/-])/(?:root|home/\w+|Users/\w+)/"
    forbidden = re.compile("|".join([*hosts, machine]))
    files = [path for path in tracked_files() if path.is_file()]
    assert len(files) > 50
    for path in files:
        found = forbidden.search(path.read_bytes().decode("utf-8", "replace"))
        assert found is None, f"{path.relative_to(ROOT)}: {found and found[0]}"
