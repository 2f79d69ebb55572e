"""Holds the house together: dependencies point down, files stay small, nothing is unpickled."""

import ast
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 80


@dataclass(frozen=True)
class Layer:
    """What one package may import, next to the standard library and itself.

    `lazy` names may be imported inside a function only (or for type checking): they are heavy, or
    belong to an extra. Each comes with the folders of the package that may do so; none is all.
    `third_party` None means that any package of an extra may be imported. `extras` names folders
    that are an extra by themselves, and what they may import besides.
    """

    folder: str
    own: frozenset[str] = frozenset()
    third_party: frozenset[str] | None = frozenset()
    lazy: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    extras: Mapping[str, frozenset[str]] = field(default_factory=dict)


LAYERS = {
    "pocketrec_runtime": Layer(
        "runtime",
        third_party=frozenset({"numpy"}),
        lazy={"onnxruntime": (), "sentencepiece": (), "llama_cpp": ()},
    ),
    "pocketrec_distill": Layer("distill", own=frozenset({"pocketrec_runtime"}), third_party=None),
    "pocketrec_bench": Layer("benchmarks", own=frozenset({"pocketrec_runtime"}), third_party=None),
    "pocketrec": Layer(
        "sdk",
        own=frozenset({"pocketrec_runtime"}),
        third_party=frozenset({"numpy", "click"}),
        lazy={
            "pocketrec_distill": ("cli",),
            "pocketrec_bench": ("cli",),
            "onnxruntime": ("cli",),
            "sqlcipher3": ("events",),
        },
        extras={
            "server": frozenset({"fastapi", "starlette", "uvicorn", "prometheus_client", "ray"}),
        },
    ),
}
UNPICKLERS = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}
UNSAFE_CALLS = {
    "torch.load",
    "torch.save",
    "numpy.load(allow_pickle=True)",
    "pandas.read_pickle",
    "eval",
    "exec",
}


@dataclass(frozen=True)
class Import:
    """One imported top-level package: where, and whether only when a function runs."""

    package: str
    line: int
    lazy: bool


@dataclass
class _Reader(ast.NodeVisitor):
    """Collects imports, dangerous calls and long functions of one file."""

    imports: list[Import] = field(default_factory=list)
    unsafe: list[tuple[int, str]] = field(default_factory=list)
    long_functions: list[tuple[int, str, int]] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    depth: int = 0

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._add(alias.name, node.lineno)
            self.names[alias.asname or alias.name.split(".")[0]] = alias.name

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if node.level == 0 and node.module:
            self._add(node.module, node.lineno)
            for alias in node.names:
                self.names[alias.asname or alias.name] = f"{node.module}.{alias.name}"

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        length = (node.end_lineno or node.lineno) - node.lineno + 1
        if length > MAX_FUNCTION_LINES:
            self.long_functions.append((node.lineno, node.name, length))
        self._visit_lazily(node)

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815 - the name that ast calls

    def visit_If(self, node: ast.If) -> None:
        if ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}:
            self._visit_lazily(node)
        else:
            self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        called = self._full_name(node.func)
        if called in {"importlib.import_module", "__import__"} and node.args:
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                self._add(first.value, node.lineno)
        if called == "numpy.load" and not _says(node, "allow_pickle", False):
            called = "numpy.load(allow_pickle=True)" if _names(node, "allow_pickle") else called
        if called in UNSAFE_CALLS or _says(node, "trust_remote_code", True):
            self.unsafe.append((node.lineno, called))
        self.generic_visit(node)

    def _visit_lazily(self, node: ast.AST) -> None:
        self.depth += 1
        self.generic_visit(node)
        self.depth -= 1

    def _add(self, module: str, line: int) -> None:
        self.imports.append(Import(module.split(".", maxsplit=1)[0], line, lazy=self.depth > 0))

    def _full_name(self, node: ast.expr) -> str:
        """`np.load` as `numpy.load`: the dotted name with the import's own name in front."""
        dotted = ast.unparse(node)
        first, _, rest = dotted.partition(".")
        full = self.names.get(first, first)
        return f"{full}.{rest}" if rest else full


def _names(call: ast.Call, keyword: str) -> bool:
    return any(given.arg == keyword for given in call.keywords)


def _says(call: ast.Call, keyword: str, value: bool) -> bool:
    return any(
        given.arg == keyword
        and isinstance(given.value, ast.Constant)
        and given.value.value is value
        for given in call.keywords
    )


def read(path: Path) -> _Reader:
    """Everything this test wants to know of one file."""
    reader = _Reader()
    reader.visit(ast.parse(path.read_text(encoding="utf-8"), filename=str(path)))
    return reader


def package_files(root: Path, package: str) -> list[Path]:
    """The Python files of one package."""
    return sorted((root / LAYERS[package].folder / package).rglob("*.py"))


def layer_violations(root: Path) -> Iterator[str]:
    """Every import that points up, sideways, or to a package that its layer may not know."""
    for package, layer in LAYERS.items():
        folder = root / layer.folder / package
        for path in package_files(root, package):
            part = path.relative_to(folder).parts[0]
            for found in read(path).imports:
                reason = _refusal(package, layer, found, part)
                if reason:
                    yield f"{path.relative_to(root)}:{found.line}: {found.package} {reason}"


def _refusal(package: str, layer: Layer, found: Import, part: str) -> str:
    name = found.package
    if name == package or name in layer.own or name in sys.stdlib_module_names:
        return ""
    if name in layer.lazy:
        folders = layer.lazy[name]
        if found.lazy and (not folders or part in folders):
            return ""
        where = " or ".join(f"{folder}/" for folder in folders)
        return "may only be imported inside a function" + (f" under {where}" if where else "")
    if name in LAYERS:
        return f"is not below {package}"
    allowed = (
        None if layer.third_party is None else layer.third_party | layer.extras.get(part, set())
    )
    if allowed is not None and name not in allowed:
        return f"is not a package that {package} may use"
    return ""


def unsafe_uses(root: Path) -> Iterator[str]:
    """Every unpickler, and every call that runs code from a file."""
    for package in LAYERS:
        for path in package_files(root, package):
            reader = read(path)
            for found in reader.imports:
                if found.package in UNPICKLERS:
                    yield f"{path.relative_to(root)}:{found.line}: imports {found.package}"
            for line, call in reader.unsafe:
                yield f"{path.relative_to(root)}:{line}: calls {call}"


def long_parts(root: Path) -> Iterator[str]:
    """Every file of 400 lines or more, and every function of more than 80."""
    files = [path for package in LAYERS for path in package_files(root, package)]
    for folder in ("tests", "scripts"):
        files += sorted((root / folder).rglob("*.py"))
    for path in files:
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines >= MAX_FILE_LINES:
            yield f"{path.relative_to(root)}: {lines} lines"
        for line, name, length in read(path).long_functions:
            yield f"{path.relative_to(root)}:{line}: {name} has {length} lines"


def test_dependencies_point_down() -> None:
    assert list(layer_violations(ROOT)) == []


def test_nothing_is_unpickled_or_evaluated() -> None:
    assert list(unsafe_uses(ROOT)) == []


def test_files_and_functions_are_short() -> None:
    assert list(long_parts(ROOT)) == []


@pytest.mark.parametrize("package", sorted(LAYERS))
def test_every_layer_was_looked_at(package: str) -> None:
    assert ROOT / LAYERS[package].folder / package / "__init__.py" in package_files(ROOT, package)


def _plant(root: Path, file: str, text: str) -> None:
    path = root / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("runtime/pocketrec_runtime/a.py", "import torch\n", "a.py:1: torch is not a package"),
        ("runtime/pocketrec_runtime/a.py", "import pandas as pd\n", "pandas is not a package"),
        (
            "runtime/pocketrec_runtime/a.py",
            "def f():\n    from transformers import AutoModel\n",
            "a.py:2: transformers is not a package",
        ),
        ("runtime/pocketrec_runtime/b/a.py", "from pocketrec import Engine\n", "is not below"),
        (
            "runtime/pocketrec_runtime/a.py",
            "def f():\n    import pocketrec_distill\n",
            "pocketrec_distill is not below pocketrec_runtime",
        ),
        ("runtime/pocketrec_runtime/a.py", "import onnxruntime\n", "inside a function"),
        ("distill/pocketrec_distill/a.py", "import pocketrec.cli\n", "is not below"),
        ("benchmarks/pocketrec_bench/a.py", "import pocketrec_distill\n", "is not below"),
        ("sdk/pocketrec/cli/a.py", "import pocketrec_distill.data\n", "inside a function under"),
        ("sdk/pocketrec/cli/a.py", "import fastapi\n", "fastapi is not a package that pocketrec"),
        (
            "sdk/pocketrec/client.py",
            "def f():\n    import pocketrec_distill\n",
            "client.py:2: pocketrec_distill may only be imported inside a function under cli/",
        ),
        (
            "sdk/pocketrec/cli/a.py",
            "import importlib\ndef f():\n    importlib.import_module('torch.nn')\n",
            "a.py:3: torch is not a package that pocketrec may use",
        ),
    ],
)
def test_a_planted_import_is_found(tmp_path: Path, file: str, text: str, expected: str) -> None:
    _plant(tmp_path, file, text)
    violations = list(layer_violations(tmp_path))
    assert len(violations) == 1
    assert expected in violations[0]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("runtime/pocketrec_runtime/a.py", "import json\nimport numpy as np\n"),
        ("runtime/pocketrec_runtime/a.py", "def f():\n    import onnxruntime\n"),
        (
            "runtime/pocketrec_runtime/a.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import onnxruntime\n",
        ),
        ("sdk/pocketrec/server/a.py", "import fastapi\n"),
        ("sdk/pocketrec/cli/commands/a.py", "def f():\n    import pocketrec_distill.config\n"),
        ("distill/pocketrec_distill/a.py", "import torch\nfrom pocketrec_runtime import Engine\n"),
    ],
)
def test_an_allowed_import_is_left_alone(tmp_path: Path, file: str, text: str) -> None:
    _plant(tmp_path, file, text)
    assert list(layer_violations(tmp_path)) == []


@pytest.mark.parametrize(
    "text",
    [
        "import pickle\n",
        "from joblib import load\n",
        "import torch\ntorch.load('x')\n",
        "from torch import load as read\nread('x')\n",
        "import numpy as np\nnp.load('x', allow_pickle=True)\n",
        "import pandas as pd\npd.read_pickle('x')\n",
        "from transformers import M\nM.from_pretrained('x', trust_remote_code=True)\n",
        "eval('1')\n",
    ],
)
def test_a_planted_unpickler_is_found(tmp_path: Path, text: str) -> None:
    _plant(tmp_path, "distill/pocketrec_distill/a.py", text)
    assert len(list(unsafe_uses(tmp_path))) == 1


def test_a_safe_load_is_left_alone(tmp_path: Path) -> None:
    text = "import numpy as np\nnp.load('x', allow_pickle=False)\nmodel.eval()\n"
    _plant(tmp_path, "distill/pocketrec_distill/a.py", text)
    assert list(unsafe_uses(tmp_path)) == []


def test_a_planted_long_file_and_function_are_found(tmp_path: Path) -> None:
    body = "    x = 1\n" * MAX_FUNCTION_LINES
    _plant(tmp_path, "sdk/pocketrec/long.py", "x = 1\n" * MAX_FILE_LINES)
    _plant(tmp_path, "sdk/pocketrec/wide.py", f"def f():\n{body}")
    assert sorted(part.split(": ")[1] for part in long_parts(tmp_path)) == [
        "400 lines",
        "f has 81 lines",
    ]
