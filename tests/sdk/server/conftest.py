"""Servers in processes of their own, on loopback, ended with each test or module."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

MODELS = Path(__file__).with_name("models.py")


@dataclass
class Running:
    """A server that answers at `url`; its stderr goes to a file."""

    url: str
    process: subprocess.Popen[str]
    log: Path

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.url.removeprefix("http://").rpartition(":")
        return host, int(port)

    def client(self, **more: object) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=30, trust_env=False, **more)

    def recommend(self, *history: str, k: int = 3, **headers: str) -> httpx.Response:
        with self.client() as client:
            body = {"history": history, "k": k}
            return client.post("/v1/recommend", json=body, headers=headers)

    def connect(self) -> socket.socket:
        return socket.create_connection(self.address, timeout=30)

    def events(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.log.read_text("utf-8").splitlines()]

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@contextmanager
def running(
    log: Path, kind: str = "ring", tokens: str = "", **settings: float
) -> Iterator[Running]:
    """A server of one of `models.py`'s models."""
    command = [sys.executable, str(MODELS), kind, json.dumps(settings), tokens]
    with log.open("w", encoding="utf-8") as stderr:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True)
    with process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            assert url, log.read_text("utf-8")
            yield Running(url, process, log)
        finally:
            process.kill()


Start = Callable[..., Running]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts servers that end with the test."""
    from contextlib import ExitStack

    with ExitStack() as stack:

        def begin(kind: str = "ring", tokens: str = "", **settings: float) -> Running:
            log = tmp_path / f"{kind}.log"
            return stack.enter_context(running(log, kind, tokens, **settings))

        yield begin


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One server for the tests of a module that leave it as it was."""
    log = tmp_path_factory.mktemp("ring") / "log"
    with running(log, header_timeout_ms=1500, body_timeout_ms=700, max_connections=80) as server:
        yield server


def read_all(connection: socket.socket) -> bytes:
    """What a server sends until it hangs up, also where it does so hard."""
    found = b""
    try:
        while chunk := connection.recv(65536):
            found += chunk
    except ConnectionResetError:
        pass
    return found
