"""The device's own client against the server: what one writes, the other reads."""

import pytest

from pocketrec.fallback import Deadline, FallbackClient, FallbackSettings, NoAnswer
from pocketrec.wire import RecommendRequest, ScoreRequest

from .conftest import Running, Start

TOKEN = "token-of-the-device-test"


def client_of(server: Running) -> FallbackClient:
    return FallbackClient(FallbackSettings(url=server.url, token_env="TOKEN_OF_TEST"))


def known(item_id: str) -> bool:
    return item_id.startswith("i")


def test_a_device_is_answered(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN_OF_TEST", TOKEN)
    client = client_of(start(tokens=TOKEN))
    asked = RecommendRequest(("i4", "é"), 2, ("i5",))
    answer = client.recommend(asked, Deadline.after_ms(20_000), known)
    assert not isinstance(answer, NoAnswer), answer
    assert [item.item_id for item in answer.items] == ["i0", "i1"]
    scores = client.score(ScoreRequest(("i2",), ("i5", "i3")), Deadline.after_ms(20_000))
    assert not isinstance(scores, NoAnswer), scores
    assert [item.item_id for item in scores.scores] == ["i5", "i3"]
    client.close()


def test_a_wrong_token_and_a_slow_model_are_no_answer(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN_OF_TEST", "another-token-entirely")
    request = RecommendRequest(("i1",), 1)
    refused = client_of(start(tokens=TOKEN))
    assert isinstance(refused.recommend(request, Deadline.after_ms(20_000), known), NoAnswer)
    refused.close()
    server = start("slow")
    late = client_of(server)
    assert isinstance(late.recommend(request, Deadline.after_ms(150), known), NoAnswer)
    late.close()
    # The server was told of the deadline, and gave up by itself.
    assert server.stop() == 0
    assert [e["status"] for e in server.events() if e["event"] == "request"] in ([504], [504, 200])
