"""HTTP/1.1 that does not wait for ever: uvicorn's protocol with limits that it lacks.

uvicorn has no limit on the time or, with httptools, on the size of a request's head, so that
connections that dribble header bytes (Slowloris) stay open for ever.
"""

import asyncio
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from pocketrec.server.failures import JSON
from pocketrec.server.settings import ServerSettings
from pocketrec.wire import ERROR_CODES, RETRY_AFTER_HEADER, ErrorAnswer


class GuardedHttp(HttpToolsProtocol):
    """One connection; its class knows the limits, as uvicorn makes the objects."""

    limits: ClassVar[ServerSettings] = ServerSettings()

    _head_timer: asyncio.TimerHandle | None = None
    _request_timer: asyncio.TimerHandle | None = None
    _in_head = True
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, where there are not too many."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.max_connections:
            self._refuse(503, "too many connections")
            return
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a connection."""
        self._stop_head_timer()
        self._stop_request_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came, and look at how much of a head has come without being one."""
        if self._idle():
            self._expect_head()
        super().data_received(data)
        if self._in_head and not self.transport.is_closing():
            self._head_bytes += len(data)
            if self._head_bytes > self.limits.max_head_bytes:
                self._refuse(431, "request line and headers are too large")

    def on_headers_complete(self) -> None:
        """A head is whole: it has its own limit, and its request a time to end in."""
        self._in_head = False
        self._stop_head_timer()
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > self.limits.max_head_bytes:
            self._refuse(431, "request line and headers are too large")
            return
        if self._request_timer is None:
            self._request_timer = self.loop.call_later(
                self.limits.connection_timeout_ms / 1000, self._abort
            )
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """An answer is sent; the next head may come."""
        self._stop_request_timer()
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP."""
        self._refuse(400, msg)

    def _idle(self) -> bool:
        """Whether no request is being read or answered, and no head is awaited yet."""
        answered = self.cycle is None or self.cycle.response_complete
        return answered and self._head_timer is None and not self.transport.is_closing()

    def _expect_head(self) -> None:
        self._in_head, self._head_bytes = True, 0
        self._head_timer = self.loop.call_later(
            self.limits.header_timeout_ms / 1000,
            lambda: self._refuse(408, "the head of the request comes too slowly"),
        )

    def _refuse(self, status: int, message: str) -> None:
        """Answer and hang up, without the application."""
        self._stop_head_timer()
        if self.transport.is_closing():
            return
        body = ErrorAnswer(ERROR_CODES[status], message).body()
        head = [f"content-type: {JSON}", f"content-length: {len(body)}", "connection: close"]
        if status == 503:
            head.append(f"{RETRY_AFTER_HEADER}: 1")
        self.transport.write(
            b"".join([STATUS_LINE[status], "\r\n".join(head).encode(), b"\r\n\r\n", body])
        )
        self.transport.close()

    def _abort(self) -> None:
        self.transport.abort()

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _stop_request_timer(self) -> None:
        if self._request_timer is not None:
            self._request_timer.cancel()
            self._request_timer = None


def guarded_http(limits: ServerSettings) -> type[GuardedHttp]:
    """The protocol with these limits."""
    return type("GuardedHttp", (GuardedHttp,), {"limits": limits})
