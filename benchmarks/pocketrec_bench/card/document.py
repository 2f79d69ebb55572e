"""`card.json`: which build, on which device, measured what."""

from dataclasses import dataclass
from typing import Any

from pocketrec_bench import records, results
from pocketrec_bench.device import DeviceCard, device_from_dict
from pocketrec_bench.errors import ResultFormatError
from pocketrec_bench.results import Result

SCHEMA = "pocketrec.bench_card/1"
_KEYS = frozenset({"schema", "build", "device", "results"})
_MAX_RESULTS = 10_000
_MAX_TEXT = 200


@dataclass(frozen=True)
class Build:
    """The pocketrec that was measured.

    Attributes:
        version: Of the package.
        commit: Of the checkout, "-dirty" behind it where tracked files differ; "unknown" outside.
    """

    version: str
    commit: str

    def __post_init__(self) -> None:
        for text in (self.version, self.commit):
            if not 0 < len(text) <= _MAX_TEXT or not text.isprintable():
                raise ValueError(f"{text!r:.60} must be 1 to {_MAX_TEXT} printable characters")


@dataclass(frozen=True)
class Card:
    """What one build costs on one device.

    Attributes:
        build: The build.
        device: The device.
        results: One per run, in the order in which they ran, at least one. Those with equal
            subject and settings are replicates.
    """

    build: Build
    device: DeviceCard
    results: tuple[Result, ...]

    def __post_init__(self) -> None:
        if not 0 < len(self.results) <= _MAX_RESULTS:
            raise ValueError(
                f"a card has {len(self.results)} results; it must have 1 to {_MAX_RESULTS}"
            )


def card_document(card: Card) -> dict[str, Any]:
    """JSON values of a card, its schema first."""
    return {
        "schema": SCHEMA,
        "build": records.to_values(card.build),
        "device": card.device.as_dict(),
        "results": [results.to_document(result) for result in card.results],
    }


def card_to_json(card: Card) -> str:
    """The text of `card.json`, a newline at its end."""
    return records.dump(card_document(card), indent=1) + "\n"


def card_from_json(text: str | bytes, name: str = "card.json") -> Card:
    """The card of a `card.json`, read strictly.

    Raises:
        ResultFormatError: No JSON, another schema, a key that is missing or unknown, a value of
            another type or out of bounds, or a device whose fingerprint is not its own.
    """
    document = records.parse(text, name)
    if not isinstance(document, dict):
        raise ResultFormatError(f"{name} is a {type(document).__name__}; it must be an object")
    if document.get("schema") != SCHEMA:
        raise ResultFormatError(
            f"{name} has schema {document.get('schema')!r:.60}; this version reads {SCHEMA!r}"
        )
    if document.keys() != _KEYS:
        odd = min(document.keys() ^ _KEYS)
        raise ResultFormatError(f"{name}: key {odd[:60]!r} is missing or unknown")
    return _card(document, name)


def _card(document: dict[str, Any], name: str) -> Card:
    listed = document["results"]
    if not isinstance(listed, list):
        raise ResultFormatError(f"{name}.results is {listed!r:.60}; it must be a list")
    build = records.from_values(Build, document["build"], f"{name}.build")
    device = device_from_dict(document["device"])
    measured = tuple(
        results.from_document(entry, f"{name}.results[{place}]")
        for place, entry in enumerate(listed)
    )
    try:
        return Card(build, device, measured)
    except ValueError as error:
        raise ResultFormatError(f"{name}: {error}") from error
