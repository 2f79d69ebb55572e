"""The device card: what a machine is, as far as speed depends on it, and nothing that names it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from pocketrec_runtime.bundle.strict_json import dump


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
        frequency_mhz: Lowest and highest frequency; None where the system does not say.
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
    frequency_mhz: tuple[float, float] | None = None
    turbo: bool | None = None
    container: str = "unknown"
    hypervisor: str = "unknown"
    power: str = "unknown"
    system: str = "unknown"
    kernel: str = "unknown"
    versions: Mapping[str, str] = field(default_factory=dict)
    providers: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """SHA-256 over everything that two runs must share, 64 hexadecimal digits.

        pocketrec's own version is not part of it: two builds on one machine are what is compared.
        """
        return hashlib.sha256(dump(comparable(self), "device card")).hexdigest()

    def as_dict(self) -> dict[str, Any]:
        """The form that stands in files: JSON's own types, and the fingerprint."""
        values: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return values | {"fingerprint": self.fingerprint}


#: What is measured, not what measures.
OWN_PACKAGES = frozenset({"pocketrec"})
# The kernel counts a little less after some boots than after others.
_MEMORY_STEP = 1 << 28


def comparable(card: DeviceCard) -> dict[str, Any]:
    """The fields that two comparable runs share, by name; versions of packages one by one."""
    values = asdict(card)
    for name in ("memory_bytes", "memory_limit_bytes"):
        size = values[name]
        values[name] = None if size is None else round(size / _MEMORY_STEP) * _MEMORY_STEP
    values |= {
        f"versions.{name}": version
        for name, version in values.pop("versions").items()
        if name not in OWN_PACKAGES
    }
    return values
