"""Whether two measurements come from one device, and what differs where they do not."""

from collections.abc import Sequence
from dataclasses import dataclass

from pocketrec_bench.device.card import DeviceCard, comparable
from pocketrec_bench.errors import DeviceMismatchError


@dataclass(frozen=True)
class Difference:
    """One field of two cards.

    Attributes:
        name: Of the field; versions of packages are `versions.<package>`.
        first: Its value on the first card, None where it is not there.
        second: On the second.
    """

    name: str
    first: object
    second: object

    def __str__(self) -> str:
        return f"{self.name}: {_shown(self.first)} and {_shown(self.second)}"


def differences(first: DeviceCard, second: DeviceCard) -> list[Difference]:
    """Every field in which two devices differ, by name; none where their fingerprints agree."""
    a, b = comparable(first), comparable(second)
    names = sorted(a.keys() | b.keys())
    return [Difference(n, a.get(n), b.get(n)) for n in names if a.get(n) != b.get(n)]


def check_one_device(cards: Sequence[DeviceCard]) -> None:
    """Returns where all cards are of one device.

    Raises:
        DeviceMismatchError: They differ; the message names every field that does.
    """
    for card in cards[1:]:
        found = differences(cards[0], card)
        if found:
            listed = "; ".join(map(str, found))
            raise DeviceMismatchError(
                f"the devices differ in {len(found)} fields: {listed}. A ratio between them says "
                "nothing about the code; measure both on one device, or ask for it with "
                "--across-devices"
            )


def _shown(value: object) -> str:
    if value is None:
        return "not known"
    if isinstance(value, tuple | list):
        return "(" + ", ".join(map(str, value)) + ")"
    return str(value)
