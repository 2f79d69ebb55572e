"""Slow, large and malformed requests over raw sockets; good ones are answered all the while."""

import gzip
import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from .conftest import Running, Start, read_all

HEAD = b"POST /v1/recommend HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


def answered(raw: bytes) -> tuple[int, str]:
    """Status and error code of a raw answer."""
    head, _, body = raw.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)["error"]["code"]


def resident_bytes(process: int) -> int:
    status = Path(f"/proc/{process}/status").read_text("ascii")
    return 1024 * int(next(line.split()[1] for line in status.splitlines() if "VmRSS" in line))


def dribble(connection: socket.socket, stop: threading.Event) -> bytes:
    """A header that never ends, a byte at a time."""
    connection.sendall(b"GET /v1/items HTTP/1.1\r\nX-Slow: ")
    connection.settimeout(0.05)
    while not stop.is_set():
        try:
            connection.sendall(b"a")
            return connection.recv(4096)
        except TimeoutError:
            continue
        except (BrokenPipeError, ConnectionResetError):
            return b""
    return b"never"


def test_slow_headers_are_cut_off_and_good_clients_answered(ring: Running) -> None:
    stop = threading.Event()
    with ThreadPoolExecutor(50) as pool:
        slow = [ring.connect() for _ in range(50)]
        ends = [pool.submit(dribble, connection, stop) for connection in slow]
        good = [ring.recommend("i0", k=1).json()["items"][0]["id"] for _ in range(20)]
        said = [end.result(timeout=30) for end in ends]
    for connection in slow:
        connection.close()
    assert good == ["i1"] * 20
    assert b"never" not in said
    assert sum(b"408 Request Timeout" in raw for raw in said) >= 40


def test_a_connection_that_says_nothing_is_closed(ring: Running) -> None:
    with ring.connect() as connection:
        assert answered(read_all(connection)) == (408, "request_timeout")


def test_a_kept_connection_that_begins_and_stops_is_closed(ring: Running) -> None:
    with ring.connect() as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        first = connection.recv(4096)
        connection.sendall(b"GET /heal")
        rest = read_all(connection)
    assert b"200 OK" in first
    assert answered(rest) == (408, "request_timeout")


def test_a_slow_body_is_cut_off(ring: Running) -> None:
    with ring.connect() as connection:
        connection.sendall(HEAD + b'Content-Length: 40\r\n\r\n{"history"')
        assert answered(read_all(connection)) == (408, "request_timeout")


def test_a_body_that_says_it_is_large_is_not_read(ring: Running) -> None:
    with ring.connect() as connection:
        connection.sendall(HEAD + b"Content-Length: 1073741824\r\n\r\n")
        assert answered(read_all(connection)) == (413, "too_large")


def test_a_large_chunked_body_is_counted_while_it_comes(ring: Running) -> None:
    """A gigabyte is on its way; the server hangs up long before, and holds none of it."""
    before = resident_bytes(ring.process.pid)
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    sent = 0
    with ring.connect() as connection:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        try:
            while sent < 2**30:
                connection.sendall(chunk)
                sent += len(chunk)
        except (BrokenPipeError, ConnectionResetError):
            pass
    assert sent < 2**26
    assert resident_bytes(ring.process.pid) - before < 2**25
    assert ring.recommend("i0").status_code == 200


def test_compressed_bodies_are_refused_unread(ring: Running) -> None:
    bomb = gzip.compress(b" " * 2**24)
    with ring.client() as client:
        headers = {"content-encoding": "gzip", "content-type": "application/json"}
        answer = client.post("/v1/recommend", content=bomb, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", (400, "bad_request")),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 40_000 + b"\r\n\r\n", (431, "headers_too_large")),
        (b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\n\r\n", (431, "headers_too_large")),
        (b"GET / HTTP/1.1\r\n" + b"X: 1\r\n" * 8_000, (431, "headers_too_large")),
    ],
)
def test_what_is_no_request_is_refused(
    ring: Running, raw: bytes, expected: tuple[int, str]
) -> None:
    with ring.connect() as connection:
        connection.sendall(raw)
        assert answered(read_all(connection)) == expected


@pytest.mark.parametrize(
    ("headers", "content", "expected"),
    [
        ({}, b"{", 400),
        ({}, b'{"history": [], "k": NaN}', 400),
        ({}, b'{"history": [], "k": "7"}', 422),
        ({}, b"[" * 60_000, 400),
        ({}, b" " * 65_537, 413),
        ({"content-type": "text/html"}, b"{}", 415),
        ({"x-request-timeout-ms": "soon"}, b"{}", 400),
    ],
)
def test_wrong_bodies_are_refused(
    ring: Running, headers: dict[str, str], content: bytes, expected: int
) -> None:
    with ring.client() as client:
        answer = client.post("/v1/recommend", content=content, headers=headers)
    assert answer.status_code == expected
    assert set(answer.json()["error"]) == {"code", "message"}


def test_connections_beyond_the_limit_are_told_so(start: Start) -> None:
    server = start(max_connections=3)
    held = [server.connect() for _ in range(3)]
    with server.connect() as connection:
        raw = read_all(connection)
    assert answered(raw) == (503, "unavailable")
    assert b"Retry-After: 1\r\n" in raw
    for connection in held:
        connection.close()


def test_who_does_not_read_the_answer_is_hung_up_on(start: Start) -> None:
    """Also where a request takes for ever: a connection is not held longer than its limit."""
    server = start("slow", connection_timeout_ms=200)
    with server.connect() as connection:
        body = b'{"history": ["i1"], "k": 1}'
        connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        assert read_all(connection) == b""
