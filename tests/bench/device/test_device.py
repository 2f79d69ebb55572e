"""The device card of several machines, read from their texts; privacy; the fingerprint."""

import json
from dataclasses import replace

import pytest

from pocketrec_bench.device import (
    Cache,
    DeviceCard,
    check_one_device,
    device_from_dict,
    differences,
    read_device,
)
from pocketrec_bench.device.linux import linux_card
from pocketrec_bench.device.macos import macos_card
from pocketrec_bench.device.source import Recorded
from pocketrec_bench.device.windows import windows_card
from pocketrec_bench.device.words import count_cpus, size_bytes, version_number, words
from pocketrec_bench.errors import DeviceMismatchError, ResultFormatError

from .machines import DESKTOP_WITH_MOUSE, INTEL_MAC, LAPTOP, M2, PHONE, PI, SERVER


def _linux(source: Recorded, architecture: str = "x86_64", usable: int = 2) -> DeviceCard:
    return linux_card(source, architecture=architecture, kernel="6.1.21-v8-marys", usable=usable)


def test_a_raspberry_pi() -> None:
    card = _linux(PI, "aarch64", usable=3)
    assert card == DeviceCard(
        cpu="Cortex-A72",
        board="Raspberry Pi 4 Model B Rev 1.4",
        architecture="arm64",
        features=("neon",),
        caches=(
            Cache(1, "data", 32 << 10, 4),
            Cache(1, "instruction", 48 << 10, 4),
            Cache(2, "unified", 1 << 20, 1),
        ),
        memory_bytes=3_884_392 * 1024,
        cores_present=4,
        cores_usable=3,
        governor="ondemand",
        lowest_mhz=600.0,
        highest_mhz=1800.0,
        container="none",
        hypervisor="none",
        power="no battery",
        system="Debian GNU/Linux 12",
        kernel="6.1.21",
    )


def test_no_serial_host_or_user_name_stands_on_a_card() -> None:
    for source in (PI, SERVER):
        text = json.dumps(_linux(source).as_dict())
        for private in ("abcdef01", "marys", "SERIAL0123", "user-1000", "pod1"):
            assert private not in text
    assert "12345" not in json.dumps(macos_card(M2, architecture="arm64", kernel="23").as_dict())


def test_a_phone_has_the_features_that_all_its_cores_have() -> None:
    card = _linux(PHONE, "aarch64")
    assert card.cpu == "3 x Cortex-A510 + 2 x Cortex-A715 + 1 x arm core 0x41:0xfff"
    assert card.features == ("neon", "fp16", "dotprod")
    assert (card.lowest_mhz, card.highest_mhz) == (300.0, 2800.0)
    assert (card.power, card.cores_present) == ("battery", 6)


def test_a_pod_has_the_tightest_limit_of_the_groups_above_it() -> None:
    card = _linux(SERVER)
    assert card.cpu == "Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz"
    assert card.features == (
        "avx2", "fma", "f16c", "avx512", "avx512_vnni", "avx512_bf16", "avx_vnni", "amx_int8",
        "amx_bf16",
    )  # fmt: skip
    assert (card.core_quota, card.memory_limit_bytes) == (0.5, 512 << 20)
    assert (card.container, card.hypervisor) == ("kubernetes", "yes")
    assert (card.cores_present, card.cores_usable) == (4, 2)
    assert card.board == "Google Google Compute Engine"


def test_a_laptop_in_a_container_of_version_1() -> None:
    card = _linux(LAPTOP)
    assert (card.core_quota, card.memory_limit_bytes) == (1.5, None)
    assert (card.container, card.hypervisor, card.power) == ("docker", "none", "battery")
    assert (card.turbo, card.governor) == (False, "powersave")
    assert (card.lowest_mhz, card.highest_mhz) == (400.0, 5000.0)


def test_the_battery_of_a_mouse_is_not_the_machines() -> None:
    card = _linux(DESKTOP_WITH_MOUSE)
    assert (card.power, card.turbo) == ("no battery", True)


def test_a_mac() -> None:
    card = macos_card(M2, architecture="arm64", kernel="23.5.0")
    assert (card.cpu, card.board, card.system) == ("Apple M2", "Mac14,2", "macOS 14.5")
    assert card.features == ("neon", "dotprod", "i8mm")
    assert card.caches == (
        Cache(1, "data", 64 << 10),
        Cache(1, "data", 128 << 10),
        Cache(1, "instruction", 128 << 10),
        Cache(1, "instruction", 192 << 10),
        Cache(2, "unified", 4 << 20),
        Cache(2, "unified", 16 << 20),
    )
    assert (card.memory_bytes, card.cores_present) == (16 << 30, 8)
    assert (card.power, card.hypervisor) == ("battery", "none")


def test_an_intel_mac() -> None:
    card = macos_card(INTEL_MAC, architecture="x86_64", kernel="22.6.0")
    assert card.features == ("avx2", "fma", "f16c")
    assert card.caches[-1] == Cache(3, "unified", 4 << 20)
    assert (card.cores_present, card.power, card.hypervisor) == (4, "mains", "yes")


def test_windows() -> None:
    card = windows_card(
        {"USERNAME": "mary", "PROCESSOR_IDENTIFIER": "not asked"},
        processor="Intel64 Family 6 Model 186",
        architecture="AMD64",
        version="10.0.22631",
        cores=12,
    )
    assert (card.cpu, card.architecture) == ("Intel64 Family 6 Model 186", "x86_64")
    assert (card.system, card.cores_usable) == ("Windows 10.0.22631", 12)
    assert "mary" not in json.dumps(card.as_dict())


def test_a_machine_that_says_nothing() -> None:
    card = _linux(Recorded())
    assert (card.cpu, card.caches, card.cores_present) == ("unknown", (), None)
    assert (card.container, card.power) == ("unknown", "no battery")
    assert device_from_dict(json.loads(json.dumps(card.as_dict()))) == card


def test_this_machine_can_be_read_and_read_back() -> None:
    card = read_device()
    assert card.cpu != "unknown"
    assert card.versions["numpy"]
    assert card.versions["blas"] != "unknown"
    assert "cpu" in card.providers
    assert read_device().fingerprint == card.fingerprint
    assert device_from_dict(json.loads(json.dumps(card.as_dict()))) == card


CACHE = {"level": 1, "kind": "data", "size_bytes": 32768, "instances": 1}
CARD = replace(
    _linux(PI, "aarch64"), versions={"pocketrec": "0.1.0", "numpy": "2.4.6"}, providers=("cpu",)
)


def test_another_build_is_the_same_device() -> None:
    other = replace(CARD, versions={"pocketrec": "9.9", "numpy": "2.4.6"})
    assert other.fingerprint == CARD.fingerprint
    check_one_device([CARD, other])


def test_a_kernel_that_keeps_a_little_more_memory_is_the_same_device() -> None:
    assert CARD.memory_bytes is not None
    other = replace(CARD, memory_bytes=CARD.memory_bytes - 4096)
    assert other.fingerprint == CARD.fingerprint


def test_devices_that_differ_are_refused_and_the_fields_are_named() -> None:
    other = replace(CARD, power="battery", versions={"pocketrec": "0.1.0", "blas": "mkl 1"})
    assert other.fingerprint != CARD.fingerprint
    assert [found.name for found in differences(CARD, other)] == [
        "power",
        "versions.blas",
        "versions.numpy",
    ]
    with pytest.raises(DeviceMismatchError) as caught:
        check_one_device([CARD, CARD, other])
    message = str(caught.value)
    assert "differ in 3 fields" in message
    assert "power: no battery and battery" in message
    assert "versions.numpy: 2.4.6 and not known" in message
    assert "--across-devices" in message


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"cpu": 3}, "device.cpu is 3"),
        ({"cpu": ""}, "1 to 120 printable"),
        ({"cpu": "x" * 121}, "1 to 120 printable"),
        ({"kernel": "\x1b[2J"}, "printable"),
        ({"cores_present": True}, "must be an integer"),
        ({"cores_present": 0}, "must be above 0"),
        ({"memory_bytes": 1 << 60}, "at most"),
        ({"lowest_mhz": float("nan")}, "finite"),
        ({"core_quota": -1.0}, "must be above 0"),
        ({"turbo": "yes"}, "turbo is 'yes'"),
        ({"features": ["a"] * 65}, "more than 64 entries"),
        ({"features": "avx2"}, "must be a list"),
        ({"caches": [{"level": 1}]}, "lacks 'kind'"),
        ({"caches": [CACHE | {"level": 0}]}, "must be above 0"),
        ({"caches": [CACHE | {"kind": "\n"}]}, "printable"),
        ({"versions": {"numpy": 2}}, "versions.numpy is 2"),
        ({"versions": {"numpy": ""}}, "printable"),
        ({"owner": "mary"}, "'owner', which this version"),
        ({"power": "mains"}, "fingerprint is not that of its values"),
        ({"fingerprint": 1}, "fingerprint is not that of its values"),
    ],
)
def test_a_hostile_device_is_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ResultFormatError, match=said):
        device_from_dict(CARD.as_dict() | changes)


@pytest.mark.parametrize("value", [None, [], "device", {}])
def test_what_is_no_device_is_refused(value: object) -> None:
    with pytest.raises(ResultFormatError):
        device_from_dict(value)


def test_a_missing_key_is_refused() -> None:
    for key in CARD.as_dict():
        values = CARD.as_dict()
        del values[key]
        with pytest.raises(ResultFormatError, match=f"'{key}'"):
            device_from_dict(values)


def test_small_texts() -> None:
    assert [count_cpus(text) for text in ("0-3,8\n", "0", "", "a-b")] == [5, 1, None, None]
    assert [size_bytes(text) for text in ("32K", "8M", "1024", "3 apples", "1GiB")] == [
        32768, 8388608, 1024, None, 1 << 30,
    ]  # fmt: skip
    assert version_number("6.8.0-45-generic") == "6.8.0-45"
    assert version_number("marys-kernel") == "unknown"
    assert words(" a\0 b\n\x1b[2J ") == "a b [2J"
