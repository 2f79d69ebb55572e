"""Real servers with faults on loopback, and clients that are pointed at them."""

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import trustme

from pocketrec import wire
from pocketrec.fallback import Deadline, FallbackClient, FallbackSettings, NoAnswer


@pytest.fixture
def serve(servers: ModuleType) -> Iterator[Callable[..., Any]]:
    """Starts a server with a behaviour, by name or as a function; all are ended afterwards."""
    running = []

    def start(behave: Any, tls: ssl.SSLContext | None = None) -> Any:
        if isinstance(behave, str):
            behave = {"good": servers.good, **servers.FAULTS}[behave]
        running.append(servers.Server(behave, tls=tls))
        return running[-1]

    yield start
    for server in running:
        server.close()


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def authority_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture
def serve_tls(serve: Callable[..., Any], authority: trustme.CA) -> Callable[[str], Any]:
    """Starts a good server that speaks TLS, with a certificate for this name."""

    def start(name: str) -> Any:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(name).configure_cert(context)
        return serve("good", context)

    return start


@pytest.fixture
def tls_server(serve_tls: Callable[[str], Any]) -> Any:
    return serve_tls("127.0.0.1")


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., FallbackClient]]:
    """A client for a URL whose jitter is 0 and who notes its waits in `slept`, without waiting."""
    monkeypatch.delenv("POCKETREC_SERVER_TOKEN", raising=False)
    clients = []

    def make(url: str | None, slept: list[float] | None = None, **settings: Any) -> FallbackClient:
        waits = [] if slept is None else slept
        clients.append(
            FallbackClient(
                FallbackSettings(url=url, **settings), sleep=waits.append, uniform=lambda: 0.0
            )
        )
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def ask(servers: ModuleType) -> Callable[..., wire.RecommendAnswer | NoAnswer]:
    """Asks for 3 items after item-0 and item-199; the deadline is far unless it is said."""

    def call(
        client: FallbackClient, *, deadline_ms: float = 60_000.0, k: int = 3
    ) -> wire.RecommendAnswer | NoAnswer:
        request = wire.RecommendRequest(("item-0", "item-199"), k)
        return client.recommend(
            request, Deadline.after_ms(deadline_ms), set(servers.ITEMS).__contains__
        )

    return call
