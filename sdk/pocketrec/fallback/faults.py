"""What can go wrong with a server, by name; the app never sees one raised."""

from typing import Literal

from pocketrec_runtime.errors import PocketrecError

FaultKind = Literal[
    "dns",  # the name has no address
    "refused",  # nothing listens there
    "broken",  # the connection was reset, or ended before a reply
    "tls",  # no handshake, or a certificate that is not trusted
    "timeout",  # the deadline passed
    "busy",  # as many requests as allowed are already on their way
    "status",  # another status than 200
    "redirect",  # 3xx; none is followed
    "not_http",  # what came is no HTTP reply
    "not_json",  # the content type is another, or the body is encoded
    "too_large",  # more bytes than the cap
    "truncated",  # fewer bytes than announced
    "schema",  # JSON, but no answer to what was asked
    "request",  # what is to be asked is larger than a server takes
    "ledger",  # nothing was sent, since it could not be noted down
]


class ServerFault(PocketrecError):  # noqa: N818 - a fault is what the server has; it is handled
    """One exchange with the server that brought no answer.

    Attributes:
        kind: What went wrong.
        status: The HTTP status, where there was one.
        retry_after_s: Seconds that the server asks to wait, where it does.
    """

    def __init__(
        self,
        kind: FaultKind,
        detail: str,
        *,
        status: int | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        self.kind: FaultKind = kind
        self.status = status
        self.retry_after_s = retry_after_s
        super().__init__(detail)
