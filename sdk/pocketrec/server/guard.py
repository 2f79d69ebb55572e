"""What stands before every route: tokens, limits of size and time, one log line, one count."""

import asyncio
import secrets
import time
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pocketrec.server.auth import Tokens
from pocketrec.server.failures import JSON, RefusedError
from pocketrec.server.logs import event, where
from pocketrec.server.metrics import Metrics
from pocketrec.server.settings import ServerSettings
from pocketrec.wire import MAX_REQUEST_BYTES, TIMEOUT_HEADER, WireError, read_timeout_ms

#: Where a route finds when the answer is of no more use, by the event loop's clock.
DEADLINE = "deadline_s"
GUARDED = "/v1/"


class Guard:
    """An ASGI application that lets through what it has read and found to be in bounds.

    Args:
        app: What answers.
        tokens: Who may ask what stands under /v1/.
        settings: Limits.
        metrics: Told of every answer.
    """

    def __init__(
        self, app: ASGIApp, tokens: Tokens, settings: ServerSettings, metrics: Metrics
    ) -> None:
        self.app, self.tokens, self.settings, self.metrics = app, tokens, settings, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the life of the application."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        loop = asyncio.get_running_loop()
        since_s, request_id = loop.time(), secrets.token_hex(8)
        # The loop's own clock may count whole milliseconds.
        started_s = time.perf_counter()
        answer = _Answer(send, request_id)
        try:
            body = await self._let_in(scope, receive, since_s)
            await self.app(scope, _Replayed(body, receive), answer.send)
        except RefusedError as refused:
            await answer.refuse(scope, receive, refused)
        except _GoneError:
            answer.status = 499  # what proxies log where the caller went away
        except Exception as error:  # noqa: BLE001 - a fault of one request is not the server's end
            event("fault", 40, id=request_id, **where(error))
            if not answer.status:
                await answer.refuse(scope, receive, RefusedError(500, "a fault of the server"))
        finally:
            seconds = time.perf_counter() - started_s
            path = _path(scope)
            self.metrics.answered(path, answer.status, seconds)
            event("request", id=request_id, method=scope["method"], path=path,
                  status=answer.status, ms=round(seconds * 1000, 2))  # fmt: skip

    async def _let_in(self, scope: Scope, receive: Receive, since_s: float) -> bytes:
        """The body of a request that may be answered.

        Raises:
            RefusedError: It may not.
        """
        headers = dict(scope["headers"])
        if scope["path"].startswith(GUARDED) and not self.tokens.allows(
            headers.get(b"authorization")
        ):
            # Its body stays unread.
            raise RefusedError(401, "give a token: Authorization: Bearer TOKEN", close=True)
        deadline_s = since_s + self._deadline_ms(headers) / 1000
        scope.setdefault("state", {})[DEADLINE] = deadline_s
        _check_kind(scope, headers)
        until_s = min(deadline_s, since_s + self.settings.body_timeout_ms / 1000)
        try:
            async with asyncio.timeout_at(until_s):
                return await _read(receive)
        except TimeoutError as error:
            if until_s == deadline_s:
                raise RefusedError(
                    504, "the deadline passed before the body was there", close=True
                ) from error
            raise RefusedError(408, "the body comes too slowly", close=True) from error

    def _deadline_ms(self, headers: dict[bytes, bytes]) -> int:
        text = headers.get(TIMEOUT_HEADER.lower().encode())
        try:
            asked = read_timeout_ms(None if text is None else text.decode("latin-1"))
        except WireError as error:
            raise RefusedError(error.status, str(error), close=True) from error
        return self.settings.deadline_ms if asked is None else min(asked, self.settings.deadline_ms)


class _GoneError(Exception):
    """Who asked went away."""


class _Answer:
    """What was sent of an answer, with the request's id in its head."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send, self._request_id = send, request_id
        self.status = 0

    async def send(self, message: Message) -> None:
        """Pass a message on."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers: list[Any] = [*message.get("headers", [])]
            message["headers"] = [*headers, (b"x-request-id", self._request_id.encode())]
        await self._send(message)

    async def refuse(self, scope: Scope, receive: Receive, refused: RefusedError) -> None:
        """Send an error instead of an answer."""
        await refused.response()(scope, receive, self.send)


class _Replayed:
    """The messages of a request whose body was read already."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        """The body once, then what the connection says."""
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}


def _check_kind(scope: Scope, headers: dict[bytes, bytes]) -> None:
    """Returns where a body is plain JSON that says no length over the limit."""
    encoding = headers.get(b"content-encoding", b"identity").strip().lower()
    if encoding != b"identity":
        raise RefusedError(415, "compressed bodies are not taken; send plain JSON", close=True)
    if scope["method"] == "POST":
        kind = headers.get(b"content-type", JSON.encode()).split(b";")[0].strip().lower()
        if kind != JSON.encode():
            raise RefusedError(415, f"send the body as {JSON}", close=True)
    length = headers.get(b"content-length", b"0")
    if length.isdigit() and int(length[:20]) > MAX_REQUEST_BYTES:
        raise _too_large()


async def _read(receive: Receive) -> bytes:
    """The whole body, counted while it comes."""
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _GoneError
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > MAX_REQUEST_BYTES:
            raise _too_large()
        if not message.get("more_body", False):
            return b"".join(chunks)


def _too_large() -> RefusedError:
    return RefusedError(413, f"the body is larger than {MAX_REQUEST_BYTES} bytes", close=True)


def _path(scope: Scope) -> str:
    """The route's path; what is no route has one name, so that nobody makes up metrics."""
    route = scope.get("route")
    return getattr(route, "path", "other") if route is not None else "other"
