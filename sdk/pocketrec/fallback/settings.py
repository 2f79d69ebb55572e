"""Settings of the fallback client; without a URL it is off."""

import ipaddress
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from pocketrec import wire
from pocketrec.fallback.breaker import BreakerSettings
from pocketrec_runtime.errors import InputError

_HOST = re.compile(r"[A-Za-z0-9._:-]+")
_PATH = re.compile(r"[A-Za-z0-9._~/-]*")
_TOKEN = re.compile(r"[\x21-\x7e]{1,4096}")


@dataclass(frozen=True)
class Address:
    """Where the server is.

    Attributes:
        host: A name or an IP address, without brackets.
        port: Its port.
        secure: Whether it is spoken to by TLS.
        prefix: Comes before each path; empty, or "/..." without a slash at its end.
    """

    host: str
    port: int
    secure: bool
    prefix: str = ""

    @property
    def is_loopback(self) -> bool:
        """Whether nothing that is sent there leaves this device."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


@dataclass(frozen=True)
class FallbackSettings:
    """Whether, where and how a server is asked.

    Attributes:
        url: Of the server, for example "https://recs.example.com"; None asks no server, ever.
        token_env: Name of the environment variable that holds the bearer token. The token itself
            stands in no setting. Where the variable is not set, none is sent.
        allow_plain_http: Whether http:// may be spoken beyond this device.
        ca_file: PEM file of the authorities to trust; None trusts those of the system.
        ask_share: Share of requests that the server is asked for at most, by the deferral policy of
            the bundle, those first that it is most likely to answer better; 1 asks for all, and so
            does a bundle without a policy.
        least_ms: With less time left than this the server is not asked.
        margin_ms: Kept of the deadline for what comes after the server's answer.
        newest_events: So many of the newest events of a history are sent at most.
        max_answer_bytes: Cap of a reply, header included; reading stops there.
        max_in_flight: Requests on their way at a time.
        retry_share: Retries per request in the long run; 0 retries never.
        check_path: What is asked, with nothing of the user, before a server that failed is asked
            for answers again; None leaves the check out.
        breaker: When a server is left alone, and for how long.
        ledger: File of what left the device; None keeps it in memory.
    """

    url: str | None = None
    token_env: str = "POCKETREC_SERVER_TOKEN"  # noqa: S105 - a name, not a token
    allow_plain_http: bool = False
    ca_file: Path | None = None
    ask_share: float = 1.0
    least_ms: float = 10.0
    margin_ms: float = 3.0
    newest_events: int = 200
    max_answer_bytes: int = wire.MAX_ANSWER_BYTES
    max_in_flight: int = 4
    retry_share: float = 0.1
    check_path: str | None = "/readyz"
    breaker: BreakerSettings = field(default_factory=BreakerSettings)
    ledger: Path | None = None

    def __post_init__(self) -> None:
        for name in ("least_ms", "margin_ms", "retry_share"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise InputError(f"fallback {name} is {value}; give a finite number of at least 0")
        if not 0 <= self.ask_share <= 1:
            raise InputError(f"fallback ask_share is {self.ask_share}; give 0 to 1")
        for name in ("newest_events", "max_in_flight"):
            if getattr(self, name) < 1:
                raise InputError(f"fallback {name} is {getattr(self, name)}; give at least 1")
        if not 1 <= self.max_answer_bytes <= wire.MAX_ANSWER_BYTES:
            raise InputError(
                f"fallback max_answer_bytes is {self.max_answer_bytes}; "
                f"give 1 to {wire.MAX_ANSWER_BYTES}"
            )
        if self.check_path is not None and not _PATH.fullmatch(self.check_path):
            raise InputError(
                f"fallback check_path is {self.check_path!r}; give a path like /readyz"
            )
        if self.url is not None:
            _parsed(self.url, self.allow_plain_http)

    @property
    def address(self) -> Address | None:
        """Where the server is; None where fallback is off."""
        return None if self.url is None else _parsed(self.url, self.allow_plain_http)


def read_token(name: str, environment: Mapping[str, str] = os.environ) -> str | None:
    """The bearer token of an environment variable; None where it is not set or empty.

    Raises:
        InputError: It cannot stand in a header. The message does not show it.
    """
    token = environment.get(name, "")
    if not token:
        return None
    if not _TOKEN.fullmatch(token):
        raise InputError(
            f"{name} holds characters that no bearer token has (spaces, controls, other than "
            "ASCII) or is longer than 4096"
        )
    return token


def _parsed(url: str, allow_plain_http: bool) -> Address:
    """The address of a URL.

    Raises:
        InputError: It is no such URL, holds a secret, or would be spoken to in the clear.
    """
    # A URL may hold a password: what is wrong is said without showing it.
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InputError(f"the server's URL cannot be read: {error}") from error
    if not url.isascii() or not url.isprintable() or " " in url:
        raise InputError("the server's URL holds spaces, controls or other than ASCII; encode them")
    if parts.scheme not in {"http", "https"} or not _HOST.fullmatch(parts.hostname or ""):
        raise InputError("the server's URL must be https://host[:port][/path]")
    _refuse_extras(parts)
    secure = parts.scheme == "https"
    address = Address(
        host=parts.hostname or "",
        port=port if port is not None else (443 if secure else 80),
        secure=secure,
        prefix=parts.path.rstrip("/"),
    )
    if not (secure or allow_plain_http or address.is_loopback):
        raise InputError(
            f"http://{address.host} would send histories in the clear; use https://, or say "
            "allow_plain_http"
        )
    return address


def _refuse_extras(parts: SplitResult) -> None:
    if parts.username is not None or parts.password is not None:
        raise InputError(
            "the server's URL holds a user name or password; give a token in the environment"
        )
    if parts.query or parts.fragment or not _PATH.fullmatch(parts.path):
        raise InputError("the server's URL has a query, a fragment or an odd path; leave them out")
