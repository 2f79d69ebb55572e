"""/proc/cpuinfo of x86-64 and arm64 Linux."""

from dataclasses import dataclass

from pocketrec_bench.device.features import known_features
from pocketrec_bench.device.words import words

#: (implementer, part) of arm cores, as Linux's cputype.h names them; others stay numbers.
_ARM_CORES = {
    (0x41, 0xD03): "Cortex-A53",
    (0x41, 0xD05): "Cortex-A55",
    (0x41, 0xD08): "Cortex-A72",
    (0x41, 0xD0A): "Cortex-A75",
    (0x41, 0xD0B): "Cortex-A76",
    (0x41, 0xD0C): "Neoverse-N1",
    (0x41, 0xD0D): "Cortex-A77",
    (0x41, 0xD40): "Neoverse-V1",
    (0x41, 0xD41): "Cortex-A78",
    (0x41, 0xD44): "Cortex-X1",
    (0x41, 0xD46): "Cortex-A510",
    (0x41, 0xD47): "Cortex-A710",
    (0x41, 0xD48): "Cortex-X2",
    (0x41, 0xD49): "Neoverse-N2",
    (0x41, 0xD4D): "Cortex-A715",
    (0x41, 0xD4E): "Cortex-X3",
    (0x41, 0xD4F): "Neoverse-V2",
    (0x41, 0xD80): "Cortex-A520",
    (0x41, 0xD81): "Cortex-A720",
    (0x41, 0xD82): "Cortex-X4",
}


@dataclass(frozen=True)
class CpuInfo:
    """What /proc/cpuinfo says.

    Attributes:
        cpu: The processor's name; on arm the kinds of cores with how many there are of each.
        features: As `known_features`.
        processors: Logical processors listed.
        virtual: Whether the processor itself says that a hypervisor is below.
    """

    cpu: str
    features: tuple[str, ...]
    processors: int
    virtual: bool


def parse_cpuinfo(text: str) -> CpuInfo:
    """The facts of a cpuinfo text. Serial numbers that some boards print there are not read.

    Features are those that every core has: work may run on any.
    """
    cores = [fields for block in text.split("\n\n") if "processor" in (fields := _fields(block))]
    flags = [set((core.get("flags") or core.get("Features") or "").split()) for core in cores]
    shared = set.intersection(*flags) if flags else set()
    return CpuInfo(_name(cores), known_features(shared), len(cores), "hypervisor" in shared)


def _fields(block: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in block.splitlines() if ":" in line)
    return {key.strip(): value.strip() for key, _, value in pairs}


def _name(cores: list[dict[str, str]]) -> str:
    counts: dict[str, int] = {}
    for core in cores:
        name = words(core["model name"]) if "model name" in core else _arm_name(core)
        counts[name] = counts.get(name, 0) + 1
    if len(counts) > 1:
        return words(" + ".join(f"{count} x {name}" for name, count in sorted(counts.items())))
    return next(iter(counts), "unknown")


def _arm_name(core: dict[str, str]) -> str:
    try:
        implementer = int(core["CPU implementer"], 16)
        part = int(core["CPU part"], 16)
    except (KeyError, ValueError):
        return "unknown"
    return _ARM_CORES.get((implementer, part), f"arm core 0x{implementer:02x}:0x{part:03x}")
