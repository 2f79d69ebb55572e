"""The device card: what a machine is, as far as speed depends on it, and nothing that names it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pocketrec_bench.device.words import MAX_WORDS
from pocketrec_bench.records import dump, to_values

#: What is measured, not what measures.
OWN_PACKAGES = frozenset({"pocketrec"})
_MAX_LIST = 64
_MAX_NUMBER = 1 << 50
# The kernel counts a little less after some boots than after others.
_MEMORY_STEP = 1 << 28


@dataclass(frozen=True, order=True)
class Cache:
    """One kind of cache of the processor.

    Attributes:
        level: 1, 2, 3 ...
        kind: "data", "instruction" or "unified".
        size_bytes: Of one instance.
        instances: How many of them the machine has.
    """

    level: int
    kind: str
    size_bytes: int
    instances: int = 1

    def __post_init__(self) -> None:
        _check_texts([self.kind])
        _check_numbers([self.level, self.size_bytes, self.instances])


@dataclass(frozen=True)
class DeviceCard:
    """One machine as a process sees it. What could not be read is "unknown", None or empty.

    No host name, user name, serial number or address stands in it; free text of the system is
    cut to what describes the hardware or a version.

    Attributes:
        cpu: Names of the processor's kinds of cores, joined by " + ".
        board: The product that the machine is, for example "Raspberry Pi 4 Model B Rev 1.4".
        architecture: "x86_64", "arm64" or what the system calls it.
        features: Instruction sets that matter for ranking, as `features.KNOWN` names them.
        caches: By level and kind.
        memory_bytes: That the system manages.
        memory_limit_bytes: That this process may use, where a limit is set.
        cores_present: Logical processors of the machine.
        cores_usable: Of those, how many this process may run on.
        core_quota: Processor time per second that its control group may use; None is no limit.
        governor: Of the frequency, as Linux names it.
        lowest_mhz: Lowest frequency; None where the system does not say.
        highest_mhz: Highest frequency of any core, likewise.
        turbo: Whether frequencies above the nominal one are allowed.
        container: "docker", "podman", "kubernetes", "lxc", "other" or "none".
        hypervisor: Its name, "yes" where only its presence is known, "none".
        power: "mains", "battery", "no battery" or "unknown".
        system: Operating system and its version.
        kernel: Its version number.
        versions: Of Python and the packages that compute, by name.
        providers: ONNX Runtime's execution providers, by short name.
    """

    cpu: str
    architecture: str
    board: str = "unknown"
    features: tuple[str, ...] = ()
    caches: tuple[Cache, ...] = ()
    memory_bytes: int | None = None
    memory_limit_bytes: int | None = None
    cores_present: int | None = None
    cores_usable: int | None = None
    core_quota: float | None = None
    governor: str = "unknown"
    lowest_mhz: float | None = None
    highest_mhz: float | None = None
    turbo: bool | None = None
    container: str = "unknown"
    hypervisor: str = "unknown"
    power: str = "unknown"
    system: str = "unknown"
    kernel: str = "unknown"
    versions: dict[str, str] = field(default_factory=dict)
    providers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        texts = [getattr(self, name) for name, hint in self.__annotations__.items() if hint is str]
        _check_texts([*texts, *self.features, *self.providers])
        _check_texts([text for pair in self.versions.items() for text in pair])
        sizes = (self.memory_bytes, self.memory_limit_bytes, self.cores_present, self.cores_usable)
        numbers = (*sizes, self.core_quota, self.lowest_mhz, self.highest_mhz)
        _check_numbers([number for number in numbers if number is not None])
        if max(map(len, (self.features, self.caches, self.versions, self.providers))) > _MAX_LIST:
            raise ValueError(f"a list has more than {_MAX_LIST} entries")

    @property
    def fingerprint(self) -> str:
        """SHA-256 over everything that two runs must share, 64 hexadecimal digits.

        pocketrec's own version is not part of it: two builds on one machine are what is compared.
        """
        return hashlib.sha256(dump(comparable(self)).encode()).hexdigest()

    def as_dict(self) -> dict[str, Any]:
        """The form that stands in files: JSON's own types, and the fingerprint."""
        return {**to_values(self), "fingerprint": self.fingerprint}


def comparable(card: DeviceCard) -> dict[str, Any]:
    """The fields that two comparable runs share, by name; versions of packages one by one."""
    values: dict[str, Any] = to_values(card)
    for name in ("memory_bytes", "memory_limit_bytes"):
        size = values[name]
        values[name] = None if size is None else round(size / _MEMORY_STEP) * _MEMORY_STEP
    values |= {
        f"versions.{name}": version
        for name, version in values.pop("versions").items()
        if name not in OWN_PACKAGES
    }
    return values


def _check_texts(texts: Sequence[str]) -> None:
    for text in texts:
        if not 0 < len(text) <= MAX_WORDS or not text.isprintable():
            raise ValueError(f"{text!r:.60} must be 1 to {MAX_WORDS} printable characters")


def _check_numbers(numbers: Sequence[float]) -> None:
    for number in numbers:
        if not 0 < number <= _MAX_NUMBER:
            raise ValueError(f"{number!r:.60} must be above 0 and at most {_MAX_NUMBER}")
