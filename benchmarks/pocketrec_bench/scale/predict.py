"""What another device is predicted to do, from bytes moved and work done here.

The scan is bounded by what it reads or by what it computes, whichever takes longer (Williams,
Waterman and Patterson, Roofline, CACM 2009). What it computes per item is taken from catalogues
that fit the processor's caches here, what it reads per item is known; both were measured, on this
device. A prediction is no measurement, and is marked as one wherever it is shown.
"""

import math
from dataclasses import dataclass

from pocketrec_runtime.errors import InputError


@dataclass(frozen=True)
class DeviceClass:
    """A device that is not here.

    Attributes:
        name: Of the class, for example "phone".
        bandwidth_gb_s: What its cores read from memory, 1e9 bytes a second.
        cores: That the scan may use.
        core_speed: Of one of its cores, over one of this device's.
    """

    name: str
    bandwidth_gb_s: float
    cores: int = 1
    core_speed: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < len(self.name) <= 60 or not self.name.isprintable():
            raise InputError(f"name is {self.name!r:.60}; give 1 to 60 printable characters")
        for name in ("bandwidth_gb_s", "core_speed"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise InputError(f"{name} is {value}; give a number above 0")
        if self.cores < 1:
            raise InputError(f"cores is {self.cores}; give 1 or more")


@dataclass(frozen=True)
class Roofline:
    """One operation that grows with the catalogue, as measured here on one thread.

    Attributes:
        fixed_s: Seconds that do not depend on the size.
        compute_s: Seconds of one item more where all rows lie in caches.
        bytes_each: Bytes of one item that must be read.
        share: Of the machine's read bandwidth, what the operation reaches with rows in memory.
    """

    fixed_s: float
    compute_s: float
    bytes_each: float
    share: float


@dataclass(frozen=True)
class Prediction:
    """Marked as what it is.

    Attributes:
        device: Of which.
        items: Size of the catalogue.
        scan_s: Of the certified top-10.
        append_s: Of one event more: computing, so only the core's speed counts.
        bound: What the scan waits for: "memory", "compute" or "fixed cost".
    """

    device: DeviceClass
    items: int
    scan_s: float
    append_s: float
    bound: str


def roofline_s(roofline: Roofline, items: int, device: DeviceClass) -> tuple[float, str]:
    """Seconds of the operation on a device, and what bounds it."""
    fixed = roofline.fixed_s / device.core_speed
    compute = items * roofline.compute_s / (device.core_speed * device.cores)
    read = items * roofline.bytes_each / (device.bandwidth_gb_s * 1e9 * roofline.share)
    bound = "memory" if read > compute else "compute"
    if fixed > max(read, compute):
        bound = "fixed cost"
    return fixed + max(read, compute), bound


def predict(roofline: Roofline, append_s: float, items: int, device: DeviceClass) -> Prediction:
    """Scan and append on a device that is not here."""
    scan_s, bound = roofline_s(roofline, items, device)
    return Prediction(device, items, scan_s, append_s / device.core_speed, bound)


def read_device_class(text: str) -> DeviceClass:
    """`NAME:BANDWIDTH[:CORES[:SPEED]]`, for example `phone:12:2:0.5`.

    Raises:
        InputError: It is not of that form.
    """
    parts = text.split(":")
    if not 2 <= len(parts) <= 4:
        raise InputError(f"{text!r:.80} is not NAME:BANDWIDTH_GB_S[:CORES[:CORE_SPEED]]")
    try:
        numbers = float(parts[1]), int(parts[2]) if len(parts) > 2 else 1
        speed = float(parts[3]) if len(parts) > 3 else 0.5
    except ValueError as error:
        raise InputError(f"{text!r:.80} holds no number where one must stand: {error}") from error
    return DeviceClass(parts[0], *numbers, speed)
