"""Texts as real machines give them, shortened: what is not read is left out or left in to tempt."""

from pocketrec_bench.device.source import Recorded

CPUS = "/sys/devices/system/cpu"


def _cache(cpu: int, index: int, level: int, kind: str, size: str, shared: str) -> dict[str, str]:
    folder = f"{CPUS}/cpu{cpu}/cache/index{index}"
    return {
        f"{folder}/level": f"{level}\n",
        f"{folder}/type": f"{kind}\n",
        f"{folder}/size": f"{size}\n",
        f"{folder}/shared_cpu_list": f"{shared}\n",
    }


def _frequency(cpu: int, governor: str, low: int, high: int) -> dict[str, str]:
    folder = f"{CPUS}/cpu{cpu}/cpufreq"
    return {
        f"{folder}/scaling_governor": f"{governor}\n",
        f"{folder}/cpuinfo_min_freq": f"{low}\n",
        f"{folder}/cpuinfo_max_freq": f"{high}\n",
    }


def _pi() -> Recorded:
    core = (
        "processor\t: {}\nBogoMIPS\t: 108.00\nFeatures\t: fp asimd evtstrm crc32 cpuid\n"
        "CPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: 0xd08\n\n"
    )
    files = {
        "/proc/cpuinfo": "".join(core.format(cpu) for cpu in range(4))
        + "Hardware\t: BCM2835\nRevision\t: c03114\nSerial\t\t: 10000000abcdef01\n"
        "Model\t\t: Raspberry Pi 4 Model B Rev 1.4\n",
        "/proc/meminfo": "MemTotal:        3884392 kB\nMemFree:          100 kB\n",
        "/proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0",
        "/proc/device-tree/serial-number": "10000000abcdef01\0",
        "/etc/hostname": "marys-pi\n",
        "/etc/os-release": 'NAME="Debian GNU/Linux"\nVERSION_ID="12"\n',
        "/proc/self/cgroup": "0::/user.slice/user-1000.slice/session-3.scope\n",
        f"{CPUS}/present": "0-3\n",
    }
    for cpu in range(4):
        files |= _frequency(cpu, "ondemand", 600_000, 1_800_000)
        files |= _cache(cpu, 0, 1, "Data", "32K", str(cpu))
        files |= _cache(cpu, 1, 1, "Instruction", "48K", str(cpu))
        files |= _cache(cpu, 2, 2, "Unified", "1024K", "0-3")
    return Recorded(files)


def _phone() -> Recorded:
    """Two kinds of cores; the small ones lack what the large ones have."""
    core = "processor\t: {}\nFeatures\t: {}\nCPU implementer\t: 0x41\nCPU part\t: {}\n\n"
    small, large = "fp asimd asimdhp asimddp", "fp asimd asimdhp asimddp i8mm bf16 sve2"
    kinds = [(small, "0xd46")] * 3 + [(large, "0xd4d")] * 2 + [(large, "0xfff")]
    files = {
        "/proc/cpuinfo": "".join(core.format(n, *kind) for n, kind in enumerate(kinds)),
        "/proc/meminfo": "MemTotal:        7800000 kB\n",
        "/sys/class/power_supply/usb/type": "USB\n",
        "/sys/class/power_supply/usb/online": "0\n",
        "/sys/class/power_supply/battery/type": "Battery\n",
        "/proc/self/cgroup": "0::/\n",
    }
    for cpu in range(6):
        files |= _frequency(cpu, "walt", 300_000, (1_800_000, 2_800_000, 3_200_000)[cpu // 3])
    return Recorded(files)


def _server() -> Recorded:
    """A Kubernetes pod on a Xeon with AMX: half of a core of four."""
    core = (
        "processor\t: {}\nmodel name\t: Intel(R) Xeon(R)  Platinum 8481C CPU @ 2.70GHz\n"
        "flags\t\t: fpu fma avx2 f16c hypervisor avx512f avx512_vnni avx_vnni avx512_bf16 "
        "amx_bf16 amx_int8\n\n"
    )
    pod = "/kubepods/burstable/pod1"
    return Recorded({
        "/proc/cpuinfo": "".join(core.format(cpu) for cpu in range(4)),
        "/proc/meminfo": "MemTotal:       16000000 kB\n",
        "/proc/self/cgroup": f"0::{pod}\n",
        "/sys/fs/cgroup/cpu.max": "max 100000\n",
        "/sys/fs/cgroup/kubepods/cpu.max": "300000 100000\n",
        f"/sys/fs/cgroup{pod}/cpu.max": "50000 100000\n",
        f"/sys/fs/cgroup{pod}/memory.max": "536870912\n",
        "/sys/class/dmi/id/sys_vendor": "Google\n",
        "/sys/class/dmi/id/product_name": "Google Compute Engine\n",
        "/sys/class/dmi/id/product_serial": "GoogleCloud-SERIAL0123\n",
        f"{CPUS}/present": "0-3\n",
    })  # fmt: skip


def _laptop() -> Recorded:
    """On battery, in a container of cgroup version 1 with one and a half cores; with a mouse."""
    core = (
        "processor\t: {}\nmodel name\t: 13th Gen Intel(R) Core(TM) i7-1360P\n"
        "flags\t\t: fma avx2 f16c avx_vnni\n\n"
    )
    supply, group = "/sys/class/power_supply", "/sys/fs/cgroup"
    files = {
        "/proc/cpuinfo": "".join(core.format(cpu) for cpu in range(2)),
        "/.dockerenv": "",
        "/proc/self/cgroup": "3:cpu,cpuacct:/docker/abc\n4:memory:/docker/abc\n0::/\n",
        f"{group}/cpu,cpuacct/cpu.cfs_quota_us": "150000\n",
        f"{group}/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
        f"{group}/memory/memory.limit_in_bytes": "9223372036854771712\n",
        f"{CPUS}/intel_pstate/no_turbo": "1\n",
        f"{supply}/AC/type": "Mains\n",
        f"{supply}/AC/online": "0\n",
        f"{supply}/BAT0/type": "Battery\n",
        f"{supply}/hidpp_battery_0/type": "Battery\n",
        f"{supply}/hidpp_battery_0/scope": "Device\n",
    }
    files |= _frequency(0, "powersave", 400_000, 5_000_000)
    files |= _frequency(1, "powersave", 400_000, 3_700_000)
    return Recorded(files)


PI, PHONE, SERVER, LAPTOP = _pi(), _phone(), _server(), _laptop()

DESKTOP_WITH_MOUSE = Recorded({
    "/proc/cpuinfo": "processor\t: 0\nmodel name\t: AMD Ryzen 7 7700\nflags\t: avx2\n",
    "/sys/class/power_supply/hidpp_battery_0/type": "Battery\n",
    "/sys/class/power_supply/hidpp_battery_0/scope": "Device\n",
    "/sys/devices/system/cpu/cpufreq/boost": "1\n",
})  # fmt: skip

_SYSCTL = "sysctl hw machdep.cpu kern.osproductversion kern.hv_vmm_present"
M2 = Recorded(
    outputs={
        _SYSCTL: """hw.ncpu: 8
hw.logicalcpu: 8
hw.memsize: 17179869184
hw.model: Mac14,2
hw.perflevel0.logicalcpu: 4
hw.perflevel0.l1icachesize: 196608
hw.perflevel0.l1dcachesize: 131072
hw.perflevel0.l2cachesize: 16777216
hw.perflevel1.logicalcpu: 4
hw.perflevel1.l1icachesize: 131072
hw.perflevel1.l1dcachesize: 65536
hw.perflevel1.l2cachesize: 4194304
hw.optional.neon: 1
hw.optional.arm.FEAT_DotProd: 1
hw.optional.arm.FEAT_I8MM: 1
hw.optional.arm.FEAT_SME: 0
machdep.cpu.brand_string: Apple M2
kern.osproductversion: 14.5
kern.hv_vmm_present: 0
""",
        "pmset -g batt": "Now drawing from 'Battery Power'\n -InternalBattery-0 (id=12345)\t80%\n",
    }
)
INTEL_MAC = Recorded(
    outputs={
        _SYSCTL: """hw.ncpu: 4
hw.memsize: 8589934592
hw.l1dcachesize: 32768
hw.l2cachesize: 262144
hw.l3cachesize: 4194304
machdep.cpu.brand_string: Intel(R) Core(TM) i5-8279U CPU @ 2.40GHz
machdep.cpu.features: FPU VME SSE4.2 FMA F16C AVX1.0
machdep.cpu.leaf7_features: BMI1 AVX2 ADX
kern.osproductversion: 13.6
kern.hv_vmm_present: 1
""",
        "pmset -g batt": "Now drawing from 'AC Power'\n",
    }
)
