"""A device card read back from JSON: strictly, as a file from elsewhere may hold anything."""

from pocketrec_bench.device.card import DeviceCard
from pocketrec_bench.errors import ResultFormatError
from pocketrec_bench.records import from_values


def device_from_dict(values: object) -> DeviceCard:
    """The card that `DeviceCard.as_dict` wrote.

    Raises:
        ResultFormatError: A key is missing or unknown, a value has another type or is out of
            bounds, or the fingerprint is not that of the values.
    """
    if not isinstance(values, dict) or "fingerprint" not in values:
        raise ResultFormatError("device is no object with a 'fingerprint'")
    rest = {key: value for key, value in values.items() if key != "fingerprint"}
    card = from_values(DeviceCard, rest, "device")
    if values["fingerprint"] != card.fingerprint:
        raise ResultFormatError("device: the fingerprint is not that of its values")
    return card
