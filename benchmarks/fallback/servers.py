"""Servers with faults, over raw sockets on loopback: what tests and the benchmark ask.

python benchmarks/fallback/servers.py FAULT [IDS.json]    prints its port, serves until stdin ends

A library would repair most of what these do wrong, so they write bytes. Standard library only.
"""

import gzip
import json
import socket
import ssl
import struct
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

#: The catalogue that answers are made of, unless a server is given another.
ITEMS = tuple(f"item-{place}" for place in range(200))
_MEGABYTE = b"7" * (1 << 20)


@dataclass(frozen=True)
class Asked:
    """One request as it came in.

    Attributes:
        connection: Where the reply goes.
        head: Request line and headers.
        body: The body.
        stop: Set when the server ends; what waits, waits on it.
        items: The server's catalogue.
    """

    connection: socket.socket
    head: str
    body: bytes
    stop: threading.Event = field(repr=False)
    items: tuple[str, ...] = ITEMS

    @property
    def path(self) -> str:
        """What was asked for."""
        return self.head.split(" ", 2)[1]

    def header(self, name: str) -> str | None:
        """The value of a header, or None."""
        for line in self.head.split("\r\n")[1:]:
            key, _, value = line.partition(":")
            if key.strip().lower() == name.lower():
                return value.strip()
        return None

    def best(self) -> list[dict[str, object]]:
        """A right answer: the last items of the catalogue that are not of the history."""
        asked = json.loads(self.body)
        out = {*asked["history"], *asked.get("deny", ())}
        free = [item for item in reversed(self.items) if item not in out]
        return [{"id": item, "score": 9.5 - n} for n, item in enumerate(free[: asked["k"]])]


Behaviour = Callable[[Asked], bool | None]
"""Replies to a request; True keeps the connection for the next one."""


def reply(
    body: bytes,
    *,
    status: str = "200 OK",
    media: str = "application/json",
    more: tuple[str, ...] = (),
    length: int | None = None,
) -> bytes:
    """The bytes of a reply; `length` may announce another than the body's."""
    announced = len(body) if length is None else length
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {media}", f"Content-Length: {announced}", *more]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def items_body(items: object, model: str = "full-model") -> bytes:
    """An answer to /v1/recommend; NaN and Infinity are written as Python writes them."""
    return json.dumps({"model": model, "items": items}).encode()


def good(asked: Asked) -> bool:
    """Answers as it should, whatever is asked."""
    if asked.path.endswith("/v1/recommend"):
        asked.connection.sendall(reply(items_body(asked.best())))
    elif asked.path.endswith("/v1/score"):
        candidates = json.loads(asked.body)["candidates"]
        scores = [{"id": item, "score": float(n)} for n, item in enumerate(candidates)]
        asked.connection.sendall(
            reply(json.dumps({"model": "full-model", "scores": scores}).encode())
        )
    else:
        asked.connection.sendall(reply(b'{"ready": true}'))
    return True


def says(make: Callable[[Asked], bytes], *, ready: bool = True) -> Behaviour:
    """A behaviour that replies with these bytes, and to /readyz as if all was well."""

    def behave(asked: Asked) -> bool | None:
        if ready and asked.path.endswith("/readyz"):
            return good(asked)
        asked.connection.sendall(make(asked))
        return None

    return behave


def _hang(asked: Asked) -> None:
    asked.stop.wait()


def _dribble(data: Callable[[Asked], bytes]) -> Behaviour:
    def behave(asked: Asked) -> None:
        for byte in data(asked):
            asked.connection.sendall(bytes([byte]))
            if asked.stop.wait(1.0):
                return

    return behave


def _after_head(asked: Asked) -> bytes:
    return reply(items_body(asked.best()))


def _slow_body(asked: Asked) -> None:
    head, _, body = _after_head(asked).partition(b"\r\n\r\n")
    asked.connection.sendall(head + b"\r\n\r\n")
    for byte in body:
        asked.connection.sendall(bytes([byte]))
        if asked.stop.wait(1.0):
            return


def _endless(head: bytes, piece: bytes) -> Behaviour:
    def behave(asked: Asked) -> None:
        asked.connection.sendall(head)
        while not asked.stop.is_set():
            asked.connection.sendall(piece)

    return behave


def _reset(asked: Asked) -> None:
    # Closing with a linger of 0 seconds sends RST instead of FIN.
    asked.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _first(asked: Asked, **changed: object) -> list[dict[str, object]]:
    first, *others = asked.best()
    return [{**first, **changed}, *others]


def _bomb(_: Asked) -> bytes:
    # A gigabyte of zeros in a megabyte: members of a gzip file may follow each other.
    packed = gzip.compress(bytes(1 << 20)) * 1000
    return reply(packed, more=("Content-Encoding: gzip",))


def _to_elsewhere(_: Asked) -> bytes:
    return reply(b"", status="302 Found", more=("Location: http://127.0.0.1:9/v1/recommend",))


def _error(status: str, *more: str) -> Behaviour:
    body = json.dumps({"error": {"code": "made_up", "message": "as asked for"}}).encode()
    return says(lambda _: reply(body, status=status, more=more), ready=False)


_OPEN_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

#: Name -> what the server does; each with a request that was read whole.
FAULTS: dict[str, Behaviour] = {
    "hang": _hang,
    "slow_header": _dribble(_after_head),
    "slow_body": _slow_body,
    "status_500": _error("500 Internal Server Error"),
    "status_503": _error("503 Service Unavailable", "Retry-After: 1"),
    "status_429": _error("429 Too Many Requests", "Retry-After: 1"),
    "status_401": _error("401 Unauthorized"),
    "html": says(lambda _: reply(b"<html>Sign in to the Wi-Fi</html>", media="text/html")),
    "html_as_json": says(lambda _: reply(b"<html>Sign in to the Wi-Fi</html>")),
    "nan": says(lambda asked: reply(items_body(_first(asked, score=float("nan"))))),
    "infinity": says(lambda asked: reply(items_body(_first(asked, score=float("inf"))))),
    "overflow": says(
        lambda asked: reply(
            items_body(_first(asked, score=7)).replace(b'"score": 7', b'"score": 1e999')
        )
    ),
    "text_score": says(lambda asked: reply(items_body(_first(asked, score="9.5")))),
    "wrong_ids": says(lambda asked: reply(items_body(_first(asked, id="of-another-shop")))),
    "duplicates": says(lambda asked: reply(items_body([asked.best()[0], *asked.best()[:-1]]))),
    "seen": says(
        lambda asked: reply(items_body(_first(asked, id=json.loads(asked.body)["history"][0])))
    ),
    "unsorted": says(lambda asked: reply(items_body(asked.best()[::-1]))),
    "no_items": says(lambda _: reply(items_body([]))),
    "no_model": says(lambda asked: reply(json.dumps({"items": asked.best()}).encode())),
    "deep_json": says(lambda _: reply(b"[" * 500_000)),
    "gigabyte": _endless(_OPEN_HEAD + b"Content-Length: 1000000000\r\n\r\n", _MEGABYTE),
    "endless_body": _endless(_OPEN_HEAD + b"\r\n", _MEGABYTE),
    "endless_chunks": _endless(
        _OPEN_HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"100000\r\n" + _MEGABYTE + b"\r\n"
    ),
    "endless_headers": _endless(_OPEN_HEAD, b"X-More: " + b"7" * 1000 + b"\r\n"),
    "endless_continue": _endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "negative_chunk": says(
        lambda _: _OPEN_HEAD + b"Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n"
    ),
    "gzip_bomb": says(_bomb),
    "redirect": says(_to_elsewhere),
    "truncated": says(lambda asked: reply(items_body(asked.best()), length=100_000)),
    "cut_json": says(lambda asked: _OPEN_HEAD + b"\r\n" + items_body(asked.best())[:-9]),
    "garbage": says(lambda _: bytes(range(256)) * 4 + b"\r\n\r\n"),
    "reset": _reset,
    "closed": says(lambda _: b""),
}


class Server:
    """One server on a port of its own; every connection has a thread.

    Attributes:
        port: Where it listens, on 127.0.0.1.
        asked: Every request that was read whole, in order.
        connections: How many were accepted.
    """

    def __init__(
        self,
        behave: Behaviour,
        items: tuple[str, ...] = ITEMS,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.behave, self._items, self._tls = behave, items, tls
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.asked: list[Asked] = []
        self.connections = 0
        self._stop = threading.Event()
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        """End it and all of its threads; its port refuses from then on."""
        if self._stop.is_set():
            return
        self._stop.set()
        _shut(self._listening)
        self._listening.close()
        for connection in self._open:
            _shut(connection)
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        while not self._stop.is_set():
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
                self._open.append(connection)
            while (asked := self._read(connection)) is not None:
                self.asked.append(asked)
                if not self.behave(asked):
                    return
        except OSError:
            return  # the client went away, as it should from most of these
        finally:
            connection.close()

    def _read(self, connection: socket.socket) -> Asked | None:
        data = b""
        while b"\r\n\r\n" not in data:
            more = connection.recv(65536)
            if not more:
                return None
            data += more
            if not data[:1].isupper():
                # As web servers do when they are spoken to in TLS on a plain port.
                connection.sendall(reply(b"", status="400 Bad Request"))
                return None
        head, _, body = data.partition(b"\r\n\r\n")
        asked = Asked(connection, head.decode("latin-1"), body, self._stop, self._items)
        length = int(asked.header("Content-Length") or 0)
        while len(body) < length:
            body += connection.recv(65536)
        return Asked(connection, asked.head, body, self._stop, self._items)


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


def main() -> None:
    """Serves one fault until stdin ends."""
    items = ITEMS
    if len(sys.argv) > 2:
        items = tuple(json.loads(Path(sys.argv[2]).read_text(encoding="utf-8")))
    server = Server({"good": good, **FAULTS}[sys.argv[1]], items)
    print(server.port, flush=True)
    sys.stdin.read()
    server.close()


if __name__ == "__main__":
    main()
