"""A recommender with a server behind it, on loopback."""

import pytest

from pocketrec import Deny, FallbackSettings, Rules


@pytest.fixture
def server(servers):
    """Answers 漢字 before "x,y" whatever is asked, and keeps what was asked."""

    def behave(asked) -> bool:
        asked_for.append((asked.path, servers.json.loads(asked.body)))
        key = "items" if asked.path == "/v1/recommend" else "scores"
        scores = {"漢字": 4.5, "x,y": 2.0}
        order = asked_for[-1][1].get("candidates", scores)
        listed = [{"id": item, "score": scores[item]} for item in order]
        body = servers.json.dumps({"model": "full", key: listed}).encode()
        asked.connection.sendall(servers.reply(body))
        return True

    asked_for: list = []
    server = servers.Server(behave)
    server.asked_for = asked_for
    yield server
    server.close()


def ids(answer) -> list[str]:
    return [item.item_id for item in answer.items]


def test_the_server_improves_the_answer_where_there_is_time(opened, server, monkeypatch) -> None:
    monkeypatch.delenv("POCKETREC_SERVER_TOKEN", raising=False)
    recommender = opened(fallback=FallbackSettings(url=server.url))
    user = recommender.user("Ada")
    user.record("50")
    user.record("181", "dislike")
    assert user.recommend(2).source == "device"
    assert server.asked_for == []
    answer = user.recommend(2, deadline_ms=30_000)
    assert (answer.source, answer.model, ids(answer)) == ("server", "full", ["漢字", "x,y"])
    assert server.asked_for == [("/v1/recommend", {"history": ["50"], "k": 2, "deny": ["181"]})]
    ruled = user.recommend(2, deadline_ms=30_000, rules=Rules(deny=Deny(ids=["漢字"])))
    assert ruled.source == "device"
    assert len(server.asked_for) == len(recommender.fallback.ledger.entries()) == 1


def test_with_filters_the_server_scores_what_passes(opened, server, monkeypatch) -> None:
    monkeypatch.delenv("POCKETREC_SERVER_TOKEN", raising=False)
    user = opened(fallback=FallbackSettings(url=server.url)).user("Ada")
    user.record("50")
    answer = user.recommend(2, filters={"genre": ["Comedy", "Drama"]}, deadline_ms=30_000)
    assert (answer.source, ids(answer)) == ("server", ["漢字", "x,y"])
    asked = {"history": ["50"], "candidates": ["x,y", "漢字"]}
    assert server.asked_for == [("/v1/score", asked)]


def test_a_share_of_nothing_asks_nothing(opened, server, monkeypatch) -> None:
    monkeypatch.delenv("POCKETREC_SERVER_TOKEN", raising=False)
    user = opened(fallback=FallbackSettings(url=server.url, ask_share=0.0)).user("Ada")
    user.record("50")
    answer = user.recommend(2, deadline_ms=30_000)
    assert (answer.source, server.asked_for) == ("device", [])
    assert "not asked" in answer.reason


def test_a_dead_server_costs_no_answer(opened, server, monkeypatch) -> None:
    monkeypatch.delenv("POCKETREC_SERVER_TOKEN", raising=False)
    server.close()
    user = opened(fallback=FallbackSettings(url=server.url)).user("Ada")
    user.record("50")
    for _ in range(5):
        answer = user.recommend(2, deadline_ms=30_000)
        assert (answer.source, ids(answer)) == ("device", ["181", "عنصر"])
        assert "; server: " in answer.reason
