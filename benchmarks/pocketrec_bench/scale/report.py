"""What `bench scale` found, as values that are written and read strictly."""

from dataclasses import dataclass
from typing import Any, Literal

from pocketrec_bench import records
from pocketrec_bench.device import DeviceCard, device_from_dict
from pocketrec_bench.errors import ResultFormatError
from pocketrec_bench.scale.fit import Fit
from pocketrec_bench.scale.predict import Prediction, Roofline

SCHEMA = "pocketrec.bench_scale/1"

AxisName = Literal["items", "history, prefill", "history, append", "events", "users"]


@dataclass(frozen=True)
class AxisResult:
    """One axis, measured and fitted.

    Attributes:
        name: What grows.
        sizes: Where it was measured, ascending.
        rounds: Seconds at each size, a row per round.
        fit: The law; seconds.
        bytes_each: Bytes that one unit more adds to what is read (items) or kept (history,
            users); 0 where that is not told.
    """

    name: AxisName
    sizes: tuple[int, ...]
    rounds: tuple[tuple[float, ...], ...]
    fit: Fit
    bytes_each: float


@dataclass(frozen=True)
class Check:
    """The method of prediction, tried on this device where the answer can be measured.

    Attributes:
        what: In words.
        items: Size of the catalogue.
        predicted_s: What the method said.
        measured_s: What was measured.
    """

    what: str
    items: int
    predicted_s: float
    measured_s: float

    @property
    def error(self) -> float:
        """Predicted / measured - 1."""
        return self.predicted_s / self.measured_s - 1


@dataclass(frozen=True)
class ScaleReport:
    """How costs grow on this device, and what that says of others.

    Attributes:
        measured_at: UTC, ISO 8601.
        bundle: Its file name.
        fingerprint: Of model and catalogue.
        width: Length of a vector.
        window: Longest history that the tower was trained for; longer ones cost what they cost.
        backend: Of the user tower.
        commit: Of the checkout.
        read_bytes_s: What one thread reads from memory here.
        axes: In the order of `AxisName`.
        roofline: Of the scan.
        checks: At least one.
        predictions: Of devices that are not here; not measured.
    """

    measured_at: str
    bundle: str
    fingerprint: str
    width: int
    window: int
    backend: str
    commit: str
    read_bytes_s: float
    axes: tuple[AxisResult, ...]
    roofline: Roofline
    checks: tuple[Check, ...]
    predictions: tuple[Prediction, ...]


def scale_document(report: ScaleReport, device: DeviceCard) -> dict[str, Any]:
    """JSON values, the schema first."""
    return {"schema": SCHEMA, "device": device.as_dict(), **records.to_values(report)}


def scale_from_document(document: object) -> tuple[ScaleReport, DeviceCard]:
    """The report and the device of JSON values.

    Raises:
        ResultFormatError: Another schema, or anything that is not as it was written.
    """
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise ResultFormatError(f"this is no document of schema {SCHEMA!r}")
    values = {key: value for key, value in document.items() if key not in {"schema", "device"}}
    report = records.from_values(ScaleReport, values, "scale")
    return report, device_from_dict(document.get("device"))
