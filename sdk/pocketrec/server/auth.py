"""Bearer tokens: read once, compared in constant time, never shown."""

import hashlib
import hmac
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from pocketrec_runtime.errors import InputError

_SCHEME = b"bearer "
_LEAST_CHARS = 16


class Tokens:
    """The tokens that a server takes, as hashes; without any it takes everybody.

    Args:
        tokens: Printable ASCII of at least 16 characters each.

    Raises:
        InputError: A token is shorter, or holds something else.
    """

    def __init__(self, tokens: Iterable[str] = ()) -> None:
        given = list(tokens)
        for place, token in enumerate(given, start=1):
            # The token itself stays out of the message.
            if len(token) < _LEAST_CHARS or not (token.isascii() and token.isprintable()):
                raise InputError(
                    f"token {place} of {len(given)} has {len(token)} characters, or odd ones; give "
                    f"at least {_LEAST_CHARS} of printable ASCII, such as: openssl rand -hex 32"
                )
        self._digests = tuple(_digest(token.encode()) for token in given)

    @classmethod
    def from_environment(cls, name: str) -> Self:
        """The tokens of an environment variable, separated by white space.

        Raises:
            InputError: It is not set, or empty; or as the class.
        """
        tokens = os.environ.get(name, "").split()
        if not tokens:
            raise InputError(f"the environment variable {name} holds no token; set it")
        return cls(tokens)

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """The tokens of a file, one a line.

        Raises:
            InputError: It holds none; or as the class.
            OSError: It cannot be read.
        """
        tokens = path.read_text(encoding="utf-8").split()
        if not tokens:
            raise InputError(f"{path} holds no token; write one a line")
        return cls(tokens)

    @property
    def required(self) -> bool:
        """Whether a request needs a token."""
        return bool(self._digests)

    def allows(self, header: bytes | None) -> bool:
        """Whether the value of an Authorization header is enough.

        Hashes of one length are compared, all of them, so that the time says nothing of a token.
        """
        if not self._digests:
            return True
        if header is None or header[: len(_SCHEME)].lower() != _SCHEME:
            return False
        given = _digest(header[len(_SCHEME) :].strip())
        found = [hmac.compare_digest(given, digest) for digest in self._digests]
        return any(found)


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()
