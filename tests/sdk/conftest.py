"""What the SDK's tests share.

The command line inside this process: arguments in; exit code, stdout and stderr out. And servers
with faults, on loopback.
"""

import importlib.util
import io
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pocketrec.cli import main

SERVERS = Path(__file__).parents[2] / "benchmarks" / "fallback" / "servers.py"


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.out, parse_constant=pytest.fail)


@pytest.fixture
def cli(
    capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Outcome]:
    def run(*arguments: object, stdin: bytes = b"") -> Outcome:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capfdbinary.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capfdbinary.readouterr()
        return Outcome(int(code), captured.out.decode("utf-8"), captured.err.decode("utf-8"))

    return run


@pytest.fixture(scope="session")
def servers() -> ModuleType:
    """The module of servers, which is not installed, loaded by its path."""
    spec = importlib.util.spec_from_file_location("fallback_servers", SERVERS)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
