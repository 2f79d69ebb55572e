"""A connection to the server whose every call ends by one deadline and within one cap of bytes."""

import io
import select
import socket
import ssl
from collections.abc import Sequence
from typing import Any

from pocketrec.fallback.deadline import Deadline
from pocketrec.fallback.faults import ServerFault
from pocketrec.fallback.settings import Address


class TimedSocket:
    """A socket as http.client uses one: `sendall`, `makefile`, `close`.

    A timeout of a socket is for one call: a server that sends one byte a second would be read for
    hours. Here each call gets what is left of the exchange's deadline.
    """

    def __init__(self, connected: socket.socket, deadline: Deadline, most_bytes: int) -> None:
        self._socket = connected
        self.allow(deadline, most_bytes)

    def allow(self, deadline: Deadline, most_bytes: int) -> None:
        """Begin an exchange that must end by the deadline, and be answered in so many bytes."""
        self._deadline, self._left_bytes = deadline, most_bytes

    def sendall(self, data: bytes) -> None:
        """Send all of it.

        Raises:
            TimeoutError: The deadline passed.
        """
        left = memoryview(data)
        while left:
            self._arm()
            left = left[self._socket.send(left) :]

    def recv_into(self, buffer: Any) -> int:
        """Read what is there, at least one byte; 0 at the end.

        Raises:
            ServerFault: "too_large": more bytes than allowed.
            TimeoutError: The deadline passed.
        """
        if self._left_bytes <= 0:
            raise ServerFault("too_large", "the reply has more bytes than the cap")
        self._arm()
        count = self._socket.recv_into(memoryview(buffer)[: self._left_bytes])
        self._left_bytes -= count
        return count

    def makefile(self, mode: str) -> io.BufferedReader:  # noqa: ARG002 - http.client's signature
        """The reading side."""
        return io.BufferedReader(_Reader(self))

    def close(self) -> None:
        """Nothing: http.client lets go of a connection before it has read the reply; see `end`."""

    def end(self) -> None:
        """Close it, whatever state it is in."""
        self._socket.close()

    def is_quiet(self) -> bool:
        """Whether it may serve once more: neither closed, nor with bytes that nobody asked for."""
        try:
            readable, _, _ = select.select([self._socket], [], [], 0)
        except (OSError, ValueError):
            return False
        return not readable

    def _arm(self) -> None:
        left = self._deadline.left_s()
        if left <= 0:
            raise TimeoutError("the deadline passed")
        self._socket.settimeout(left)


class _Reader(io.RawIOBase):
    def __init__(self, timed: TimedSocket) -> None:
        self._timed = timed

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._timed.recv_into(buffer)


def connect(
    address: Address, trust: ssl.SSLContext | None, deadline: Deadline, most_bytes: int
) -> TimedSocket:
    """A connection, its TLS handshake done.

    Args:
        address: Where to.
        trust: Whom to trust; None speaks in the clear.
        deadline: Of the whole exchange.
        most_bytes: As in `TimedSocket.allow`.

    Raises:
        OSError: As the system or TLS says it, socket.gaierror for a name without address.
        TimeoutError: The deadline passed.
    """
    found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    connected = _first_connected(found, deadline)
    try:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if trust is not None:
            # Python holds the whole handshake to the one timeout of the socket.
            connected.settimeout(_left(deadline))
            connected = trust.wrap_socket(connected, server_hostname=address.host)
    except BaseException:
        connected.close()
        raise
    return TimedSocket(connected, deadline, most_bytes)


def _first_connected(
    found: Sequence[tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[Any, ...]]],
    deadline: Deadline,
) -> socket.socket:
    """A connection to the first address that takes one."""
    failure: OSError = OSError("the name has no address")
    for place, (family, kind, protocol, _, where) in enumerate(found):
        connected = socket.socket(family, kind, protocol)
        try:
            # One address that swallows everything leaves time for the others.
            connected.settimeout(_left(deadline) / (len(found) - place))
            connected.connect(where)
        except OSError as error:
            connected.close()
            failure = error
        else:
            return connected
    raise failure


def _left(deadline: Deadline) -> float:
    left = deadline.left_s()
    if left <= 0:
        raise TimeoutError("the deadline passed")
    return left
