"""What a client sends, how it retries, and when it leaves a server alone; servers are real."""

import json
import threading
import time
from pathlib import Path

import pytest

from pocketrec import wire
from pocketrec.fallback import BreakerSettings, Deadline, FallbackClient, NoAnswer

REQUEST = wire.RecommendRequest(("item-0", "item-199"), 3, ("item-7",))


def everything(_: str) -> bool:
    return True


def behaviours(servers, *names: str):
    """One behaviour after the other, the last one for good; /readyz is always good."""
    left = [servers.FAULTS.get(name, servers.good) for name in names]

    def behave(asked):
        if asked.path == "/readyz":
            return servers.good(asked)
        return (left.pop(0) if len(left) > 1 else left[0])(asked)

    return behave


def test_without_a_url_nothing_is_asked(connect, ask) -> None:
    assert ask(connect(None)).kind == "off"


def test_the_request_as_the_server_sees_it(serve, connect) -> None:
    server = serve("good")
    client = connect(server.url + "/shop/")
    assert isinstance(
        client.recommend(REQUEST, Deadline.after_ms(60_000), everything), wire.RecommendAnswer
    )
    [asked] = server.asked
    assert asked.head.split("\r\n")[0] == "POST /shop/v1/recommend HTTP/1.1"
    assert asked.header("Host") == f"127.0.0.1:{server.port}"
    assert asked.header("Content-Type") == "application/json"
    assert asked.header("Accept-Encoding") == "identity"
    assert asked.header("Authorization") is None
    assert asked.header("Cookie") is None
    assert 50_000 < int(asked.header("X-Request-Timeout-Ms")) <= 60_000
    assert json.loads(asked.body) == {
        "history": ["item-0", "item-199"],
        "k": 3,
        "deny": ["item-7"],
    }


def test_scores_of_candidates(serve, connect) -> None:
    client = connect(serve("good").url)
    request = wire.ScoreRequest(("item-0",), ("item-9", "item-4"))
    answer = client.score(request, Deadline.after_ms(60_000))
    assert [(item.item_id, item.score) for item in answer.scores] == [
        ("item-9", 0.0),
        ("item-4", 1.0),
    ]
    [entry] = client.ledger.entries()
    assert (entry.path, entry.history_items, entry.other_items) == ("/v1/score", 1, 2)


def test_of_a_long_history_the_newest_events_are_sent(serve, connect) -> None:
    server = serve("good")
    client = connect(server.url, newest_events=2)
    history = ("item-195", "item-197", "item-195", "item-198", "item-199")
    answer = client.recommend(
        wire.RecommendRequest(history, 2), Deadline.after_ms(60_000), everything
    )
    # Two more are asked for, as the server cannot know of item-195 and item-197.
    assert json.loads(server.asked[0].body) == {
        "history": ["item-198", "item-199"],
        "k": 4,
        "deny": [],
    }
    # It says 197, 196, 195, 194.
    assert [item.item_id for item in answer.items] == ["item-196", "item-194"]


def test_the_token_is_sent_and_stands_nowhere(
    serve, connect, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server = serve("good")
    settings = connect(None).settings
    assert settings.token_env == "POCKETREC_SERVER_TOKEN"
    monkeypatch.setenv("SHOP_TOKEN", "s3cr3t")
    client = connect_with(server.url, tmp_path / "sent.jsonl")
    client.recommend(REQUEST, Deadline.after_ms(60_000), everything)
    client.close()
    assert server.asked[0].header("Authorization") == "Bearer s3cr3t"
    assert client.ledger.entries()[0].with_token
    shown = repr(client) + repr(client.settings) + (tmp_path / "sent.jsonl").read_text()
    assert "s3cr3t" not in shown


def connect_with(url: str, ledger: Path) -> FallbackClient:
    from pocketrec.fallback import FallbackSettings

    return FallbackClient(FallbackSettings(url=url, token_env="SHOP_TOKEN", ledger=ledger))


def test_too_little_time_is_not_spent_on_asking(serve, connect, ask) -> None:
    server = serve("good")
    found = ask(connect(server.url), deadline_ms=9.0)
    assert (found.kind, server.connections) == ("deadline", 0)


def test_what_is_larger_than_a_server_takes_is_not_sent(serve, connect) -> None:
    server = serve("good")
    history = tuple(f"{n:0500d}" for n in range(200))
    found = connect(server.url).recommend(
        wire.RecommendRequest(history, 3), Deadline.after_ms(60_000), everything
    )
    assert (found.kind, server.connections) == ("request", 0)


def test_without_a_ledger_nothing_leaves(serve, connect, ask, tmp_path: Path) -> None:
    server = serve("good")
    client = connect(server.url, ledger=tmp_path / "no" / "folder")
    assert ask(client).kind == "ledger"
    assert server.asked == []
    assert client.breaker.circuit.failures == 0


def test_one_connection_serves_many_requests(serve, connect, ask) -> None:
    server = serve("good")
    client = connect(server.url)
    answers = [ask(client) for _ in range(5)]
    assert {answer.model for answer in answers} == {"full-model"}
    assert (server.connections, len(server.asked)) == (1, 5)


def test_a_connection_that_the_server_closed_is_opened_again(servers, serve, connect, ask) -> None:
    def once(asked) -> None:
        servers.good(asked)  # and closes, though it did not say so

    server = serve(once)
    client = connect(server.url)
    assert [ask(client).model for _ in range(3)] == ["full-model"] * 3
    assert server.connections == 3
    assert client.counts == {"answered": 3}


def test_a_broken_connection_is_tried_once_more(servers, serve, connect, ask) -> None:
    server = serve(behaviours(servers, "reset", "good"))
    client = connect(server.url)
    assert ask(client).model == "full-model"
    assert client.counts == {"answered": 1, "retries": 1}
    assert len(client.ledger.entries()) == 2
    assert client.breaker.circuit.failures == 0


def test_no_more_than_one_retry(serve, connect, ask) -> None:
    server = serve("reset")
    client = connect(server.url)
    assert ask(client).kind == "broken"
    assert len(server.asked) == 2


def test_retries_end_with_their_budget(serve, connect, ask) -> None:
    server = serve("reset")
    client = connect(server.url, breaker=BreakerSettings(failures=1000))
    for _ in range(10):
        ask(client)
    # Three at the start, and a tenth of ten: the fourth is just not reached.
    assert client.counts == {"broken": 10, "retries": 3}


def test_the_wait_that_a_server_asks_for_is_kept_within_the_deadline(
    servers, serve, connect, ask
) -> None:
    slept: list[float] = []
    server = serve(behaviours(servers, "status_503", "good"))
    assert ask(connect(server.url, slept)).model == "full-model"
    assert slept == [1.0]


def test_a_wait_beyond_the_deadline_leaves_the_server_alone(servers, serve, connect, ask) -> None:
    slept: list[float] = []
    server = serve(behaviours(servers, "status_429", "good"))
    client = connect(server.url, slept)
    assert ask(client, deadline_ms=1_500.0).kind == "status"
    assert ask(client).kind == "circuit"
    assert (slept, len(server.asked)) == ([], 1)
    # It asked for patience; it did not fail.
    assert client.breaker.circuit.failures == 0


def test_a_server_that_fails_is_left_alone(serve, connect, ask) -> None:
    server = serve("html")
    client = connect(server.url, breaker=BreakerSettings(failures=3, open_s=300.0))
    kinds = [ask(client).kind for _ in range(6)]
    assert kinds == ["not_json"] * 3 + ["circuit"] * 3
    assert len(server.asked) == 3


def test_the_way_back_costs_nobody_but_one(servers, serve, connect, ask) -> None:
    server = serve(behaviours(servers, *["html"] * 3, "good"))
    client = connect(server.url, breaker=BreakerSettings(failures=3, open_s=0.001))
    for _ in range(3):
        ask(client)
    while isinstance(found := ask(client), NoAnswer):
        assert found.kind == "circuit"
    assert found.model == "full-model"
    assert client.breaker.circuit.phase == "closed"
    checks = [asked for asked in server.asked if asked.path == "/readyz"]
    # The check says nothing of the user, not even the token.
    assert {(len(asked.body), asked.header("Authorization")) for asked in checks} == {(0, None)}
    kinds = {(entry.path, entry.history_items) for entry in client.ledger.entries()}
    assert kinds == {("/v1/recommend", 2), ("/readyz", 0)}


def test_a_dead_server_is_never_asked_for_more_than_a_check(serve, connect, ask) -> None:
    server = serve("status_500")
    client = connect(server.url, breaker=BreakerSettings(failures=1, open_s=0.001))
    assert ask(client).kind == "status"
    while len(server.asked) < 4:
        assert ask(client).kind == "circuit"
    assert [asked.path for asked in server.asked[1:4]] == ["/readyz"] * 3


def test_a_server_without_the_page_is_asked_all_the_same(servers, serve, connect, ask) -> None:
    def behave(asked):
        if asked.path == "/readyz":
            asked.connection.sendall(servers.reply(b"", status="404 Not Found"))
            return None
        return answers(asked)

    answers = behaviours(servers, "html", "good")
    client = connect(serve(behave).url, breaker=BreakerSettings(failures=1, open_s=0.001))
    ask(client)
    while isinstance(found := ask(client), NoAnswer):
        assert found.kind == "circuit"
    assert found.model == "full-model"


def test_no_more_requests_than_allowed_are_on_their_way(serve, connect, ask) -> None:
    server = serve("hang")
    client = connect(server.url, max_in_flight=2)
    found: list[NoAnswer] = []
    waiting = [
        threading.Thread(target=lambda: found.append(ask(client, deadline_ms=1_000.0)))
        for _ in range(2)
    ]
    for thread in waiting:
        thread.start()
    while len(server.asked) < 2:
        time.sleep(0.001)
    assert ask(client).kind == "busy"
    for thread in waiting:
        thread.join()
    assert [one.kind for one in found] == ["timeout", "timeout"]
