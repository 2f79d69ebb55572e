"""Scripts of benchmarks/ are not installed: tests load them by their path."""

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"

# What scripts import from their own folders; a test must not find another script's.
_SIBLINGS = {"data", "environments", "exchange", "harness", "pages", "students_of_a_run", "tables"}


def load(path: str | Path) -> ModuleType:
    """A script by its path below benchmarks/, or by a whole one."""
    file = BENCHMARKS / path
    name = f"bench_{file.parent.name}_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@contextmanager
def script(path: str) -> Iterator[ModuleType]:
    """The same, its siblings found as when it runs, and nothing left in `sys` afterwards."""
    paths, before = list(sys.path), set(sys.modules)
    sys.path.insert(0, str((BENCHMARKS / path).parent))
    module = load(path)
    yield module
    sys.path[:] = paths
    for name in (set(sys.modules) - before) & {module.__name__, *_SIBLINGS}:
        del sys.modules[name]
