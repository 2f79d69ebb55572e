"""The device card: one machine, its fingerprint, and what differs between two."""

from pocketrec_bench.device.card import Cache, DeviceCard
from pocketrec_bench.device.difference import Difference, check_one_device, differences
from pocketrec_bench.device.read import read_device
from pocketrec_bench.device.reading import device_from_dict

__all__ = [
    "Cache",
    "DeviceCard",
    "Difference",
    "check_one_device",
    "device_from_dict",
    "differences",
    "read_device",
]
