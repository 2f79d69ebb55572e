"""One exchange of HTTP/1.1, with a deadline for the whole of it and a cap on its bytes.

On http.client of the standard library. No redirect is followed, no proxy of the environment is
used, and no encoding but identity is asked for or taken, so that nothing has to be decompressed.
"""

import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pocketrec.fallback.deadline import Deadline
from pocketrec.fallback.faults import FaultKind, ServerFault
from pocketrec.fallback.retry import parse_retry_after
from pocketrec.fallback.settings import FallbackSettings
from pocketrec.fallback.sockets import TimedSocket, connect
from pocketrec.wire import RETRY_AFTER_HEADER
from pocketrec_runtime.errors import InputError

# On top of the cap of the body: status line, headers, and what chunks add.
_HEADER_BYTES = 64 * 1024
# Servers close idle connections after some seconds; one that is older is not worth a try.
_IDLE_S = 4.0
# The first that fits; a closed connection is an error of HTTP and of the system at once.
_FAULTS: tuple[tuple[type[Exception], FaultKind, str], ...] = (
    (TimeoutError, "timeout", "the deadline passed before the server answered"),
    (socket.gaierror, "dns", "the server's name has no address"),
    (ConnectionRefusedError, "refused", "nothing listens at the server's address"),
    (http.client.IncompleteRead, "truncated", "the reply ended early"),
    (OSError, "broken", "the connection broke"),
)


@dataclass(frozen=True)
class Request:
    """What is sent.

    Attributes:
        method: GET or POST.
        path: With the prefix of the server.
        headers: Besides Host, Content-Length and Accept-Encoding, which are written anyway.
        body: None where there is none.
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)


class Transport:
    """Exchanges with one server; connections are kept for the next one. For any number of threads.

    Args:
        settings: With a URL.

    Raises:
        OSError: The file of authorities cannot be read.
        InputError: There is no URL.
    """

    def __init__(self, settings: FallbackSettings) -> None:
        if settings.address is None:
            raise InputError("no URL is set; a transport needs one")
        self._address, self._settings = settings.address, settings
        self._most_bytes = settings.max_answer_bytes
        self._trust: ssl.SSLContext | None = None
        if settings.address.secure:
            self._trust = ssl.create_default_context(cafile=settings.ca_file)
        self._idle: list[tuple[TimedSocket, float]] = []
        self._lock = threading.Lock()

    def exchange(
        self, request: Request, deadline: Deadline, before_sending: Callable[[], None]
    ) -> bytes:
        """The body of the reply, which has status 200 and is JSON.

        Args:
            request: What to send.
            deadline: When it must have ended.
            before_sending: Called once connected, before the first byte leaves; raises to stop.

        Raises:
            ServerFault: There is no such reply; whatever the server does ends in this.
        """
        idle = self._take_idle(deadline)
        if idle is not None:
            try:
                return self._over(idle, request, deadline, before_sending)
            except ServerFault as fault:
                # The server may have closed it just now; a read-only request may go again.
                if fault.kind != "broken":
                    raise
        try:
            fresh = connect(self._address, self._trust, deadline, self._most_bytes + _HEADER_BYTES)
        except UnicodeError as error:
            raise ServerFault("dns", "the server's name is no name of a host") from error
        except OSError as error:
            raise _named(error) from error
        return self._over(fresh, request, deadline, before_sending)

    def close(self) -> None:
        """Close what is kept; the transport stays usable."""
        with self._lock:
            kept, self._idle = self._idle, []
        for timed, _ in kept:
            timed.end()

    def _over(
        self,
        timed: TimedSocket,
        request: Request,
        deadline: Deadline,
        before_sending: Callable[[], None],
    ) -> bytes:
        reusable = False
        try:
            before_sending()
            line = http.client.HTTPConnection(self._address.host, self._address.port)
            line.default_port = 443 if self._address.secure else 80
            line.sock = timed  # all of a socket that it uses
            line.request(request.method, request.path, request.body, dict(request.headers))
            response = line.getresponse()
            body = self._body(response)
            reusable = response.isclosed() and line.sock is not None
        except (OSError, http.client.HTTPException, ValueError) as error:
            # ValueError: http.client's own of a chunk with a size below 0.
            raise _named(error) from error
        finally:
            if reusable:
                self._keep(timed, deadline)
            else:
                timed.end()
        return body

    def _body(self, response: http.client.HTTPResponse) -> bytes:
        _check_head(response, self._most_bytes)
        body = response.read(self._most_bytes + 1)
        if len(body) > self._most_bytes:
            raise ServerFault("too_large", f"the reply has more than {self._most_bytes} bytes")
        if response.length:
            raise ServerFault("truncated", f"{response.length} bytes of the reply never came")
        if not response.isclosed():
            # With chunks, the end is known once it was looked for.
            response.read(1)
        return body

    def _take_idle(self, deadline: Deadline) -> TimedSocket | None:
        with self._lock:
            while self._idle:
                timed, since_s = self._idle.pop()
                if deadline.clock() - since_s < _IDLE_S and timed.is_quiet():
                    timed.allow(deadline, self._most_bytes + _HEADER_BYTES)
                    return timed
                timed.end()
        return None

    def _keep(self, timed: TimedSocket, deadline: Deadline) -> None:
        with self._lock:
            if len(self._idle) < self._settings.max_in_flight:
                self._idle.append((timed, deadline.clock()))
                return
        timed.end()


def _check_head(response: http.client.HTTPResponse, most_bytes: int) -> None:
    """Refuse a reply by its status and headers, before its body is read."""
    status = response.status
    if 300 <= status < 400:
        raise ServerFault(
            "redirect", f"the server redirects ({status}); none is followed", status=status
        )
    if status != http.client.OK:
        raise ServerFault(
            "status",
            f"the server answered with status {status}",
            status=status,
            retry_after_s=parse_retry_after(response.getheader(RETRY_AFTER_HEADER)),
        )
    media = response.headers.get_content_type()
    if media != "application/json":
        raise ServerFault(
            "not_json", f"the reply is {media[:60]!a}, not application/json", status=status
        )
    encoding = response.getheader("Content-Encoding", "identity").strip().lower()
    transfer = response.getheader("Transfer-Encoding", "chunked").strip().lower()
    if encoding != "identity" or transfer != "chunked":
        raise ServerFault(
            "not_json", "the reply is encoded, which was not asked for", status=status
        )
    if response.length is not None and response.length > most_bytes:
        raise ServerFault(
            "too_large", f"the reply announces {response.length} bytes; the cap is {most_bytes}"
        )


def _named(error: OSError | http.client.HTTPException | ValueError) -> ServerFault:
    """The fault that an error of sockets, TLS or HTTP is."""
    if isinstance(error, ssl.SSLError):
        reason = getattr(error, "verify_message", "") or error.reason or "no handshake"
        return ServerFault("tls", f"TLS failed: {reason}")
    for kind, found, detail in _FAULTS:
        if isinstance(error, kind):
            return ServerFault(found, f"{detail} ({type(error).__name__})")
    return ServerFault("not_http", f"the reply is no HTTP ({type(error).__name__})")
