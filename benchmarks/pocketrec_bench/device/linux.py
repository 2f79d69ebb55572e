"""Linux: /proc and /sys."""

import re

from pocketrec_bench.device.card import Cache, DeviceCard
from pocketrec_bench.device.control_groups import memory_limit, processor_quota
from pocketrec_bench.device.cpuinfo import parse_cpuinfo
from pocketrec_bench.device.source import Source
from pocketrec_bench.device.words import count_cpus, size_bytes, version_number, words

_CPUS = "/sys/devices/system/cpu"
_CONTAINERS = ("docker", "podman", "kubepods", "lxc", "containerd")


def linux_card(source: Source, *, architecture: str, kernel: str, usable: int | None) -> DeviceCard:
    """The card of a Linux machine, without versions and providers.

    Args:
        source: Its files.
        architecture: As `platform.machine()` says it.
        kernel: As `platform.release()` says it.
        usable: Processors that the affinity mask of this process names.
    """
    info = parse_cpuinfo(source.text("/proc/cpuinfo") or "")
    present = count_cpus(source.text(f"{_CPUS}/present") or "")
    return DeviceCard(
        cpu=info.cpu,
        board=_board(source),
        architecture={"aarch64": "arm64"}.get(architecture, architecture),
        features=info.features,
        caches=_caches(source),
        memory_bytes=_memory(source.text("/proc/meminfo") or ""),
        memory_limit_bytes=memory_limit(source),
        cores_present=present or info.processors or None,
        cores_usable=usable,
        core_quota=processor_quota(source),
        governor=_governor(source),
        lowest_mhz=min(_frequencies(source, "min"), default=None),
        highest_mhz=max(_frequencies(source, "max"), default=None),
        turbo=_turbo(source),
        container=_container(source),
        hypervisor=_hypervisor(source, virtual=info.virtual),
        power=_power(source),
        system=_system(source.text("/etc/os-release") or ""),
        kernel=version_number(kernel),
    )


def _memory(text: str) -> int | None:
    found = re.search(r"^MemTotal:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) << 10 if found else None


def _system(text: str) -> str:
    fields = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    name, version = (fields.get(key, "").strip("\"'") for key in ("NAME", "VERSION_ID"))
    return words(f"{name or 'Linux'} {version}")


def _board(source: Source) -> str:
    model = source.text("/proc/device-tree/model")
    if model is None:
        folder = "/sys/class/dmi/id"
        model = " ".join(
            source.text(f"{folder}/{name}") or "" for name in ("sys_vendor", "product_name")
        )
    return words(model)


def _cpu_folders(source: Source) -> list[str]:
    names = (name for name in source.names(_CPUS) if re.fullmatch(r"cpu\d+", name))
    return [f"{_CPUS}/{name}" for name in sorted(names, key=lambda name: int(name[3:]))]


def _caches(source: Source) -> tuple[Cache, ...]:
    """One entry per level, kind and size; processors that share an instance count it once."""
    instances: dict[tuple[int, str, int], set[str]] = {}
    for folder in _cpu_folders(source):
        for index in source.names(f"{folder}/cache"):
            level, kind, size, shared = (
                (source.text(f"{folder}/cache/{index}/{name}") or "").strip()
                for name in ("level", "type", "size", "shared_cpu_list")
            )
            if level.isdecimal() and (bytes_ := size_bytes(size)):
                key = (int(level), kind.lower() or "unified", bytes_)
                instances.setdefault(key, set()).add(shared or folder)
    return tuple(sorted(Cache(*key, len(shared)) for key, shared in instances.items()))


def _governor(source: Source) -> str:
    texts = [source.text(f"{folder}/cpufreq/scaling_governor") for folder in _cpu_folders(source)]
    found = sorted({words(text) for text in texts if text})
    return " + ".join(found) or "unknown"


def _frequencies(source: Source, end: str) -> list[float]:
    """The limit of each processor in MHz; `end` is "min" or "max"."""
    texts = (
        (source.text(f"{folder}/cpufreq/cpuinfo_{end}_freq") or "").strip()
        for folder in _cpu_folders(source)
    )
    return [int(text) / 1e3 for text in texts if text.isdecimal() and len(text) < 12]


def _turbo(source: Source) -> bool | None:
    off = source.text(f"{_CPUS}/intel_pstate/no_turbo")
    if off is not None:
        return off.strip() == "0"
    boost = source.text(f"{_CPUS}/cpufreq/boost")
    return None if boost is None else boost.strip() == "1"


def _container(source: Source) -> str:
    if source.text("/.dockerenv") is not None:
        return "docker"
    if source.text("/run/.containerenv") is not None:
        return "podman"
    groups = source.text("/proc/self/cgroup")
    if groups is None:
        return "unknown"
    found = next((name for name in _CONTAINERS if name in groups), "none")
    return {"kubepods": "kubernetes", "containerd": "other"}.get(found, found)


def _hypervisor(source: Source, *, virtual: bool) -> str:
    named = source.text("/sys/hypervisor/type")
    if named:
        return words(named)
    product = _board(source).lower()
    for mark, name in (("kvm", "kvm"), ("qemu", "kvm"), ("virtualbox", "virtualbox"),
                       ("vmware", "vmware"), ("virtual machine", "hyper-v")):  # fmt: skip
        if mark in product:
            return name
    return "yes" if virtual else "none"


def _power(source: Source) -> str:
    folder = "/sys/class/power_supply"
    batteries = False
    for name in source.names(folder):
        kind = (source.text(f"{folder}/{name}/type") or "").strip().lower()
        if (
            kind in {"mains", "usb"}
            and (source.text(f"{folder}/{name}/online") or "").strip() == "1"
        ):
            return "mains"
        batteries |= kind == "battery" and _powers_the_machine(source, f"{folder}/{name}")
    return "battery" if batteries else "no battery"


def _powers_the_machine(source: Source, folder: str) -> bool:
    """A mouse has a battery too; Linux gives it the scope Device."""
    return (source.text(f"{folder}/scope") or "").strip().lower() != "device"
