"""A server in this process, until it is told to stop."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator
from types import FrameType

import uvicorn

from pocketrec.server.app import create_app
from pocketrec.server.auth import Tokens
from pocketrec.server.logs import event, log_to
from pocketrec.server.model import RankingModel
from pocketrec.server.protocol import guarded_http
from pocketrec.server.settings import ServerSettings

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class _Server(uvicorn.Server):
    """uvicorn that ends as a command does: quietly, once what was in flight is answered."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on SIGINT and SIGTERM; uvicorn itself would raise them again at the end."""
        loop = asyncio.get_running_loop()
        try:
            for number in _SIGNALS:
                loop.add_signal_handler(number, self.handle_exit, number, None)
        except (NotImplementedError, RuntimeError, ValueError):
            # No main thread, or Windows.
            with super().capture_signals():
                yield
            return
        try:
            yield
        finally:
            for number in _SIGNALS:
                loop.remove_signal_handler(number)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop."""
        event("stopping", signal=signal.Signals(sig).name)
        super().handle_exit(sig, frame)


def serve(
    model: RankingModel,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    settings: ServerSettings | None = None,
    tokens: Tokens | None = None,
    listening: Callable[[str], None] | None = None,
) -> None:
    """Answer requests until SIGTERM or SIGINT; then finish what is in flight and return.

    Args:
        model: What ranks.
        host: Address to listen on.
        port: 0 takes a free one.
        settings: Limits; None for the defaults.
        tokens: Who may ask; None is everybody.
        listening: Called with the server's URL once it takes connections.

    Raises:
        OSError: The address cannot be had.
    """
    settings = settings or ServerSettings()
    log_to()
    config = uvicorn.Config(
        create_app(model, settings, tokens),
        http=guarded_http(settings),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=max(1, settings.header_timeout_ms // 1000),
        timeout_graceful_shutdown=max(1, settings.shutdown_timeout_ms // 1000),
    )
    with socket.create_server((host, port), family=_family(host), backlog=512) as listener:
        url = _url(listener)
        event("listening", url=url, model=model.fingerprint)
        if listening is not None:
            listening(url)
        _Server(config).run(sockets=[listener])
    event("stopped")


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
