"""Every fault of a server, for real on loopback: named, within the deadline, and never raised."""

import socket
from pathlib import Path

import pytest

from pocketrec.fallback import NoAnswer

EXPECTED = {
    "hang": "timeout",
    "slow_header": "timeout",
    "slow_body": "timeout",
    "status_500": "status",
    "status_503": "status",
    "status_429": "status",
    "status_401": "status",
    "html": "not_json",
    "html_as_json": "schema",
    "nan": "schema",
    "infinity": "schema",
    "overflow": "schema",
    "text_score": "schema",
    "wrong_ids": "schema",
    "duplicates": "schema",
    "seen": "schema",
    "unsorted": "schema",
    "no_items": "schema",
    "no_model": "schema",
    "deep_json": "schema",
    "gigabyte": "too_large",
    "endless_body": "too_large",
    "endless_chunks": "too_large",
    "endless_headers": "not_http",
    "endless_continue": "too_large",
    "negative_chunk": "not_http",
    "gzip_bomb": "not_json",
    "redirect": "redirect",
    "truncated": "truncated",
    "cut_json": "schema",
    "garbage": "not_http",
    "reset": "broken",
    "closed": "broken",
}


def test_every_fault_of_the_servers_is_here(servers) -> None:
    assert EXPECTED.keys() == servers.FAULTS.keys()


def test_a_good_server_is_no_fault(serve, connect, ask) -> None:
    answer = ask(connect(serve("good").url))
    # item-199 is of the history: the next of the catalogue's end come.
    assert [item.item_id for item in answer.items] == ["item-198", "item-197", "item-196"]
    assert [item.score for item in answer.items] == [9.5, 8.5, 7.5]
    assert answer.model == "full-model"


@pytest.mark.parametrize("fault", sorted(EXPECTED))
def test_a_fault_is_named(serve, connect, ask, fault: str) -> None:
    server = serve(fault)
    client = connect(server.url)
    waits = EXPECTED[fault] == "timeout"
    found = ask(client, deadline_ms=200.0 if waits else 60_000.0)
    assert isinstance(found, NoAnswer)
    assert found.kind == EXPECTED[fault], found.reason
    # The request did reach the server: the fault is the server's, and stands in the ledger.
    assert server.asked[0].path == "/v1/recommend"
    assert len(client.ledger.entries()) == len(server.asked)


def test_nobody_listens(serve, connect, ask) -> None:
    server = serve("good")
    server.close()
    client = connect(server.url)
    assert ask(client).kind == "refused"
    assert client.ledger.entries() == []  # nothing left this device


def test_nobody_accepts(connect, ask) -> None:
    # The kernel shakes hands for a listener whose process sleeps.
    with socket.create_server(("127.0.0.1", 0)) as asleep:
        found = ask(connect(f"http://127.0.0.1:{asleep.getsockname()[1]}"), deadline_ms=150.0)
    assert found.kind == "timeout"


def test_a_full_backlog_swallows_the_handshake(connect, ask) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as asleep:
        port = asleep.getsockname()[1]
        filling = [socket.socket() for _ in range(8)]
        for one in filling:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        client = connect(f"http://127.0.0.1:{port}")
        assert ask(client, deadline_ms=150.0).kind == "timeout"
        assert client.ledger.entries() == []
        for one in filling:
            one.close()


def test_a_name_without_address(connect, ask) -> None:
    assert ask(connect("https://a..b")).kind == "dns"
    # Where there is no network at all, the resolver may take longer than anyone waits.
    found = ask(connect("https://no-such-host.invalid"), deadline_ms=500.0)
    assert found.kind in {"dns", "timeout"}


def test_tls_to_a_plain_port(serve, connect, ask) -> None:
    server = serve("good")
    client = connect(f"https://127.0.0.1:{server.port}")
    assert ask(client).kind == "tls"
    assert client.ledger.entries() == []


def test_plain_http_to_a_tls_port(tls_server, connect, ask) -> None:
    found = ask(connect(f"http://127.0.0.1:{tls_server.port}"))
    assert found.kind in {"broken", "not_http"}


def test_a_certificate_that_nobody_vouches_for(tls_server, connect, ask) -> None:
    client = connect(f"https://127.0.0.1:{tls_server.port}")
    found = ask(client)
    assert (found.kind, "certificate" in found.reason) == ("tls", True)
    assert client.ledger.entries() == []


def test_a_certificate_for_another_name(serve_tls, connect, ask, authority_file: Path) -> None:
    port = serve_tls("recs.example.com").port
    found = ask(connect(f"https://127.0.0.1:{port}", ca_file=authority_file))
    assert (found.kind, "not valid for '127.0.0.1'" in found.reason) == ("tls", True)


def test_a_certificate_of_the_given_authority(
    tls_server, connect, ask, authority_file: Path
) -> None:
    client = connect(f"https://127.0.0.1:{tls_server.port}", ca_file=authority_file)
    assert ask(client).model == "full-model"
    assert client.ledger.entries()[0].encrypted


def test_a_handshake_that_hangs(connect, ask) -> None:
    with socket.create_server(("127.0.0.1", 0)) as asleep:
        url = f"https://127.0.0.1:{asleep.getsockname()[1]}"
        assert ask(connect(url), deadline_ms=150.0).kind == "timeout"
