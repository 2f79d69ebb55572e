"""macOS: `sysctl` and `pmset`. The parsers were tested on recorded texts only."""

from pocketrec_bench.device.card import Cache, DeviceCard
from pocketrec_bench.device.features import known_features
from pocketrec_bench.device.source import Source
from pocketrec_bench.device.words import version_number, words

SYSCTL = ("sysctl", "hw", "machdep.cpu", "kern.osproductversion", "kern.hv_vmm_present")
PMSET = ("pmset", "-g", "batt")
_CACHES = (
    (1, "data", "l1dcachesize"),
    (1, "instruction", "l1icachesize"),
    (2, "unified", "l2cachesize"),
    (3, "unified", "l3cachesize"),
)


def macos_card(source: Source, *, architecture: str, kernel: str) -> DeviceCard:
    """The card of a Mac, without versions and providers.

    Args:
        source: Its commands' outputs.
        architecture: As `platform.machine()` says it.
        kernel: As `platform.release()` says it.
    """
    values = parse_sysctl(source.output(SYSCTL) or "")
    logical = _integer(values, "hw.logicalcpu") or _integer(values, "hw.ncpu")
    return DeviceCard(
        cpu=words(values.get("machdep.cpu.brand_string", "")),
        board=words(values.get("hw.model", "")),
        architecture=architecture,
        features=_features(values),
        caches=_caches(values),
        memory_bytes=_integer(values, "hw.memsize"),
        cores_present=logical,
        cores_usable=logical,
        container="none",
        hypervisor={"1": "yes", "0": "none"}.get(values.get("kern.hv_vmm_present", ""), "unknown"),
        power=_power(source.output(PMSET)),
        system=words(f"macOS {values.get('kern.osproductversion', '')}"),
        kernel=version_number(kernel),
    )


def parse_sysctl(text: str) -> dict[str, str]:
    """`name: value` lines."""
    pairs = (line.partition(": ") for line in text.splitlines())
    return {name.strip(): value.strip() for name, colon, value in pairs if colon}


def _integer(values: dict[str, str], name: str) -> int | None:
    value = values.get(name, "")
    return int(value) if value.isdecimal() and len(value) < 19 else None


def _features(values: dict[str, str]) -> tuple[str, ...]:
    """Intel Macs list flags; Apple's processors have one value per feature."""
    flags = " ".join(
        values.get(f"machdep.cpu.{name}", "") for name in ("features", "leaf7_features")
    ).split()
    single = [
        name.rsplit(".", 1)[1]
        for name, value in values.items()
        if name.startswith("hw.optional.") and value == "1"
    ]
    return known_features([*flags, *single])


def _caches(values: dict[str, str]) -> tuple[Cache, ...]:
    """Of each kind of core (`perflevel`) where there are several, else of the machine."""
    levels = [name for name in ("hw.perflevel0", "hw.perflevel1") if f"{name}.logicalcpu" in values]
    found = set()
    for prefix in levels or ["hw"]:
        for level, kind, name in _CACHES:
            size = _integer(values, f"{prefix}.{name}")
            if size:
                found.add(Cache(level, kind, size))
    return tuple(sorted(found))


def _power(text: str | None) -> str:
    if text is None:
        return "unknown"
    if "Battery Power" in text:
        return "battery"
    return "mains" if "AC Power" in text else "unknown"
