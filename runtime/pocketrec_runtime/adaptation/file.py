"""What was learned of a user as one sealed file, docs/adaptation.md, "File"."""

import numpy as np

from pocketrec_runtime.adaptation.learner import Learned
from pocketrec_runtime.adaptation.offset import UserOffset
from pocketrec_runtime.errors import BundleError, StateError
from pocketrec_runtime.storage import seal, unseal
from pocketrec_runtime.store.record import user_digest

MAGIC = b"pocketrec-taste\n"
FORMAT_VERSION = "1.0"
_FLOAT64 = np.dtype("<f8")


def encode_learned(user: str, learned: Learned) -> bytes:
    """The bytes of a file."""
    header = {
        "format_version": FORMAT_VERSION,
        "user": user_digest(user),
        "model": learned.model,
        "events": learned.events,
    }
    sections = {
        "total.f64": np.ascontiguousarray(learned.offset.total, _FLOAT64).tobytes(),
        "weight.f64": np.array([learned.offset.weight], _FLOAT64).tobytes(),
        "digest": learned.digest,
    }
    return seal(MAGIC, header, sections)


def decode_learned(data: bytes, user: str, width: int) -> Learned:
    """What was learned, of a file's bytes.

    Raises:
        StateError: The bytes are cut off, altered or malformed, of another user or width.
    """
    try:
        header, sections = unseal(data, MAGIC, "taste file")
        version, whose = header.text("format_version"), header.text("user")
        model, events = header.text("model"), header.integer("events")
    except BundleError as error:
        raise StateError(f"{error}; it is learned anew") from error
    if not version.startswith("1.") or whose != user_digest(user):
        raise StateError("the taste file is of another version or user; it is learned anew")
    try:
        total = np.frombuffer(sections["total.f64"], _FLOAT64).astype(np.float64)
        (weight,) = np.frombuffer(sections["weight.f64"], _FLOAT64).tolist()
        digest = sections["digest"]
    except (KeyError, ValueError) as error:
        raise StateError(f"the taste file lacks a section or a part of it: {error}") from error
    if total.shape != (width,) or events < 1 or len(digest) != 32:
        raise StateError("the taste file contradicts itself or the model; it is learned anew")
    return Learned(UserOffset(total, weight), events, digest, model)
