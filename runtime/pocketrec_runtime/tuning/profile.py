"""The file that `pocketrec tune` leaves, and how `Engine.open` takes it up.

A profile belongs to one model on one device: it names both by fingerprint, and is not used where
either is another. It never lies in the sealed bundle.
"""

import hashlib
import json
import os
import platform
from dataclasses import dataclass, field
from importlib import metadata
from os import PathLike
from pathlib import Path
from typing import Any, Literal

from pocketrec_runtime.bundle import strict_json
from pocketrec_runtime.bundle.strict_json import Fields
from pocketrec_runtime.errors import BundleError, InputError
from pocketrec_runtime.storage import read_bounded, write_atomically
from pocketrec_runtime.storage.folder import cache_directory
from pocketrec_runtime.towers.settings import RunSettings

FORMAT = "pocketrec-profile/1"
MAX_PROFILE_BYTES = 256 * 1024


@dataclass(frozen=True)
class Profile:
    """How one model runs best on one device.

    Attributes:
        model: Fingerprint of the bundle.
        device: As `device_fingerprint`.
        settings: What was chosen.
        measured: What was measured, candidate by candidate; free JSON.
    """

    model: str
    device: str
    settings: RunSettings
    measured: list[dict[str, Any]] = field(default_factory=list)


def device_fingerprint() -> str:
    """SHA-256 of what decides speed here: processor, cores, versions of the packages that run."""
    packages = ("numpy", "onnxruntime", "llama-cpp-python")
    parts = [platform.system(), platform.machine(), _processor(), str(os.cpu_count())]
    parts += [f"{name} {_version(name)}" for name in packages]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def profile_path(model: str) -> Path:
    """Where the profile of a model is kept: in the user's cache folder, see `cache_directory`."""
    return cache_directory() / "profiles" / f"{model[:32]}.json"


def save_profile(profile: Profile, path: Path) -> None:
    """Writes a profile, whole or not at all; missing folders are made.

    Raises:
        OSError: The system could not write.
    """
    document = {
        "format": FORMAT,
        "model": profile.model,
        "device": profile.device,
        "settings": profile.settings.as_dict(),
        "measured": profile.measured,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(document, indent=2, allow_nan=False).encode() + b"\n")


def load_profile(path: str | PathLike[str]) -> Profile:
    """Reads a profile.

    Raises:
        InputError: Nothing stands there, it cannot be read, or it is no profile.
    """
    try:
        data = read_bounded(Path(path), MAX_PROFILE_BYTES)
        fields = Fields(strict_json.parse(data, "profile"), "profile")
        if fields.text("format") != FORMAT:
            raise InputError(f"format is {fields.text('format')[:40]!r}; expected {FORMAT!r}")
        return Profile(
            model=fields.text("model"),
            device=fields.text("device"),
            settings=_settings(fields.fields("settings")),
            measured=fields.array("measured"),
        )
    except (OSError, BundleError, InputError) as error:
        raise InputError(
            f"{path} is no usable profile ({error}); make it with: pocketrec tune"
        ) from error


def tuned_settings(
    model: str, asked: RunSettings, profile: str | PathLike[str] | Literal["auto"] | None
) -> RunSettings:
    """The settings to run with: those asked for, or a profile's where they are the defaults.

    Args:
        model: Fingerprint of the bundle.
        asked: What the caller asked for; anything but the defaults goes over a profile.
        profile: A file that must fit; "auto" for the one in the cache folder, where there is one
            for this model and device; None for none.

    Raises:
        InputError: The file that was named is no profile of this model on this device.
    """
    if profile is None:
        return asked
    if profile == "auto":
        path = profile_path(model)
        if asked != RunSettings() or not path.exists():
            return asked
        try:
            found = load_profile(path)
        except InputError:  # a damaged cache file is no reason not to start
            return asked
        fits = (found.model, found.device) == (model, device_fingerprint())
        return found.settings if fits else asked
    found = load_profile(profile)
    for name, has, needs in (
        ("model", found.model, model),
        ("device", found.device, device_fingerprint()),
    ):
        if has != needs:
            raise InputError(
                f"{profile} was made for {name} {has[:12]}, this is {needs[:12]}; "
                "make it again with: pocketrec tune"
            )
    return found.settings if asked == RunSettings() else asked


def _settings(fields: Fields) -> RunSettings:
    return RunSettings(
        backend=fields.text("backend"),  # type: ignore[arg-type]  # RunSettings checks the value
        providers=tuple(str(name) for name in fields.array("providers")),
        threads=fields.integer("threads"),
        cache=fields.text("cache"),  # type: ignore[arg-type]
        gpu_layers=fields.integer("gpu_layers"),
    )


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "-"


def _processor() -> str:
    """The processor's name where the system says it cheaply."""
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8") as lines:
            return next((line for line in lines if line.startswith("model name")), "")
    except OSError:
        return platform.processor()
