"""A device card read back from JSON: strictly, as a file from elsewhere may hold anything."""

from typing import Any

from pocketrec_bench.device.card import Cache, DeviceCard
from pocketrec_bench.device.words import MAX_WORDS
from pocketrec_bench.errors import ResultFormatError
from pocketrec_runtime.bundle.strict_json import Fields
from pocketrec_runtime.errors import BundleFormatError

_MAX_LIST = 64
_MAX_BYTES = 1 << 50
_TEXTS = (
    "cpu", "architecture", "board", "governor", "container", "hypervisor", "power", "system",
    "kernel",
)  # fmt: skip
_KEYS = frozenset({
    *_TEXTS, "features", "caches", "memory_bytes", "memory_limit_bytes", "cores_present",
    "cores_usable", "core_quota", "frequency_mhz", "turbo", "versions", "providers", "fingerprint",
})  # fmt: skip


def device_from_dict(value: object) -> DeviceCard:
    """The card that `DeviceCard.as_dict` wrote.

    Raises:
        ResultFormatError: A key is missing or unknown, a value has another type or is out of bounds, or
            the fingerprint is not that of the values.
    """
    try:
        fields = Fields(value, "device")
        card, sealed = _card(fields, value), fields.text("fingerprint")
    except BundleFormatError as error:
        raise ResultFormatError(str(error)) from error
    if sealed != card.fingerprint:
        raise ResultFormatError("device: the fingerprint is not that of its values; it was edited")
    return card


def _card(fields: Fields, value: Any) -> DeviceCard:
    unknown = set(value) - _KEYS
    if unknown:
        raise ResultFormatError(f"device: key {min(unknown)[:60]!r} is not one of the schema")
    texts = {name: _text(fields.text(name), name) for name in _TEXTS}
    return DeviceCard(
        **texts,
        features=_names(fields, "features"),
        caches=tuple(_cache(entry) for entry in _bounded(fields.array("caches"), "caches")),
        memory_bytes=_optional_integer(fields, "memory_bytes", _MAX_BYTES),
        memory_limit_bytes=_optional_integer(fields, "memory_limit_bytes", _MAX_BYTES),
        cores_present=_optional_integer(fields, "cores_present", 1 << 20),
        cores_usable=_optional_integer(fields, "cores_usable", 1 << 20),
        core_quota=None if fields.is_null("core_quota") else _number(fields.number("core_quota")),
        frequency_mhz=_frequency(fields),
        turbo=None if fields.is_null("turbo") else _truth(value["turbo"]),
        versions={
            _text(name, "versions"): _text(version, f"versions.{name[:60]}")
            for name, version in fields.mapping("versions").items()
        },
        providers=_names(fields, "providers"),
    )


def _cache(value: object) -> Cache:
    fields = Fields(value, "device: caches")
    return Cache(
        _integer(fields, "level", 16),
        _text(fields.text("kind"), "kind"),
        _integer(fields, "size_bytes", _MAX_BYTES),
        _integer(fields, "instances", 1 << 20),
    )


def _text(value: object, name: str) -> str:
    if not isinstance(value, str) or not value or len(value) > MAX_WORDS or not value.isprintable():
        raise ResultFormatError(
            f"device: {name} is {value!r:.60}; it must be 1 to {MAX_WORDS} printable characters"
        )
    return value


def _names(fields: Fields, name: str) -> tuple[str, ...]:
    return tuple(_text(entry, name) for entry in _bounded(fields.array(name), name))


def _bounded(values: list[Any], name: str) -> list[Any]:
    if len(values) > _MAX_LIST:
        raise ResultFormatError(
            f"device: {name} has {len(values)} entries; at most {_MAX_LIST} may stand"
        )
    return values


def _integer(fields: Fields, name: str, limit: int) -> int:
    value = fields.integer(name)
    if not 0 < value <= limit:
        raise ResultFormatError(f"device: {name} is {value}; it must be 1 to {limit}")
    return value


def _optional_integer(fields: Fields, name: str, limit: int) -> int | None:
    return None if fields.is_null(name) else _integer(fields, name, limit)


def _number(value: float) -> float:
    if not 0 <= value <= 1e9:
        raise ResultFormatError(f"device: {value} is no number of 0 to 1e9")
    return value


def _frequency(fields: Fields) -> tuple[float, float] | None:
    if fields.is_null("frequency_mhz"):
        return None
    pair = fields.array("frequency_mhz")
    if len(pair) != 2 or any(type(end) not in (int, float) for end in pair):
        raise ResultFormatError(
            f"device: frequency_mhz is {pair!r:.60}; it must be [lowest, highest]"
        )
    return _number(float(pair[0])), _number(float(pair[1]))


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise ResultFormatError(f"device: turbo is {value!r:.60}; it must be true, false or null")
    return value
