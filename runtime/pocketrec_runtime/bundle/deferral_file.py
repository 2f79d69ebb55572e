"""`deferral.json`: the deferral policy as bytes and back."""

from pocketrec_runtime.bundle import names, strict_json
from pocketrec_runtime.bundle.strict_json import Fields
from pocketrec_runtime.deferral import FEATURES, DeferralPolicy, DeferralStep
from pocketrec_runtime.errors import BundleFormatError


def encode(policy: DeferralPolicy) -> bytes:
    """The bytes of the file."""
    return strict_json.dump(policy.as_dict(), names.DEFERRAL)


def decode(data: bytes) -> DeferralPolicy | None:
    """The policy; None where it is one of features that this runtime does not know.

    Raises:
        BundleFormatError: It is no such file.
        InputError: A value is out of bounds.
    """
    fields = Fields(strict_json.parse(data, names.DEFERRAL), names.DEFERRAL)
    if tuple(fields.array("features")) != FEATURES:
        # A newer minor version may know more of a request: then the app decides without.
        return None
    return DeferralPolicy(
        weights=_numbers(fields, "weights"),
        means=_numbers(fields, "means"),
        scales=_numbers(fields, "scales"),
        intercept=fields.number("intercept"),
        steps=tuple(_step(value) for value in fields.array("steps")),
        fitted_on=fields.text("fitted_on"),
    )


def _step(value: object) -> DeferralStep:
    fields = Fields(value, f"{names.DEFERRAL}: steps")
    return DeferralStep(
        share=fields.number("share"),
        threshold=fields.number("threshold"),
        gain=fields.number("gain"),
        low=fields.number("low"),
        high=fields.number("high"),
    )


def _numbers(fields: Fields, key: str) -> tuple[float, ...]:
    values = fields.array(key)
    if not all(type(value) in (int, float) for value in values):
        raise BundleFormatError(f"{names.DEFERRAL}: {key} holds something else than numbers")
    return tuple(map(float, values))
