"""Tokens, deadlines, a full queue, a failing model, and the end."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from pocketrec.server import ServerSettings, Tokens
from pocketrec_runtime.errors import InputError

from .conftest import Running, Start

TOKENS = "correct-horse-battery 2nd-token-of-the-server"


def test_only_a_token_opens(start: Start) -> None:
    server = start(tokens=TOKENS)
    for wrong in ("", "Bearer", "Bearer wrong-token-entirely", "Basic correct-horse-battery",
                  "Bearer correct-horse-batter", "Bearer correct-horse-batterys"):  # fmt: skip
        answer = server.recommend("i0", authorization=wrong)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthorized"), wrong
        assert answer.headers["www-authenticate"] == "Bearer"
    for token in TOKENS.split():
        assert server.recommend("i0", authorization=f"Bearer {token}").status_code == 200
    with server.client() as client:
        assert client.get("/v1/items").status_code == 401
        assert client.get("/readyz").status_code == 200
    assert "battery" not in server.log.read_text("utf-8")


def test_tokens_are_read_and_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("T", " first-token-of-sixteen \n second-token-of-sixteen")
    path = tmp_path / "tokens"
    path.write_text("first-token-of-sixteen\nthird-token-of-sixteen\n", "utf-8")
    for tokens in (Tokens.from_environment("T"), Tokens.from_file(path)):
        assert tokens.allows(b"bearer first-token-of-sixteen")
        assert not tokens.allows(b"Bearer fourth-token-of-sixteen")
        assert not tokens.allows(None)
    assert Tokens().allows(None)
    with pytest.raises(InputError, match="token 2 of 2 has 5 characters") as refused:
        Tokens(["first-token-of-sixteen", "short"])
    assert "short" not in str(refused.value).replace("shorter", "")
    monkeypatch.setenv("T", " ")
    with pytest.raises(InputError, match="T holds no token"):
        Tokens.from_environment("T")
    path.write_text("\n", "utf-8")
    with pytest.raises(InputError, match="holds no token"):
        Tokens.from_file(path)


def test_a_deadline_that_passes_is_said(start: Start) -> None:
    server = start("slow")
    late = server.recommend("i0", **{"x-request-timeout-ms": "100"})
    assert (late.status_code, late.json()["error"]["code"]) == (504, "deadline_exceeded")
    assert server.recommend("i0", **{"x-request-timeout-ms": "20000"}).status_code == 200


def test_a_full_queue_sends_away(start: Start) -> None:
    server = start("slow", max_batch=1, max_queue=2)
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: server.recommend("i0"), range(12)))
    refused = [answer for answer in answers if answer.status_code == 429]
    # One runs and two wait; whoever comes half a second later may find a free place.
    assert refused
    assert [a.status_code for a in answers].count(200) == 12 - len(refused) >= 3
    assert {answer.json()["error"]["code"] for answer in refused} == {"too_many_requests"}
    assert all(1 <= int(answer.headers["retry-after"]) <= 60 for answer in refused)


def test_who_gave_up_holds_no_place(start: Start) -> None:
    """Two waited and left before the model was free: two others may wait."""
    server = start("slow", max_batch=1, max_queue=2)
    with ThreadPoolExecutor(4) as pool:
        running = pool.submit(server.recommend, "i0")
        time.sleep(0.15)
        short = {"x-request-timeout-ms": "60"}
        left = list(pool.map(lambda _: server.recommend("i0", **short), range(2)))
        assert [answer.status_code for answer in left] == [504, 504]
        later = list(pool.map(lambda _: server.recommend("i0"), range(2)))
        assert running.result().status_code == 200
    assert [answer.status_code for answer in later] == [200, 200]


def test_nan_and_faults_stay_inside(start: Start) -> None:
    server = start("broken")
    for last in ("i1", "i2", "i3"):
        answer = server.recommend("i5", last)
        assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal")
        assert "secret" not in answer.text
    assert server.recommend("i4").json()["items"][0]["id"] == "i5"
    log = server.log.read_text("utf-8")
    assert "secret" not in log
    assert "i5" not in log


def test_logs_are_json_and_hold_no_history(start: Start) -> None:
    server = start()
    answer = server.recommend("i0", "a-secret-id")
    with server.client() as client:
        client.get("/v1/items", params={"ids": "another-secret-id"})
        client.get("/no/such-secret-path")
    assert server.stop() == 0
    events = server.events()
    requests = [event for event in events if event["event"] == "request"]
    assert [(e["path"], e["status"]) for e in requests] == [
        ("/v1/recommend", 200), ("/v1/items", 200), ("other", 404),
    ]  # fmt: skip
    assert requests[0]["id"] == answer.headers["x-request-id"]
    assert [e["event"] for e in events[:1] + events[-2:]] == ["listening", "stopping", "stopped"]
    assert "secret" not in server.log.read_text("utf-8")


def test_what_is_in_flight_is_finished(start: Start) -> None:
    server = start("slow")
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(server.recommend, "i2")
        while not any("run" in line for line in [server.log.read_text("utf-8")]):
            if asked.running():
                break
        time.sleep(0.2)
        code = server.stop()
        answer = asked.result()
    assert (code, answer.status_code) == (0, 200)
    assert answer.json()["items"][0]["id"] == "i3"
    with pytest.raises(httpx.ConnectError):
        server.recommend("i0")


@pytest.mark.parametrize(
    "wrong", [{"max_batch": 0}, {"max_wait_ms": -1}, {"deadline_ms": float("nan")}]
)
def test_settings_are_checked(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match="give a number of at least"):
        ServerSettings(**wrong)


def test_other_machines_need_a_token(ring: Running, cli, monkeypatch) -> None:
    del ring
    golden = Path(__file__).parents[2] / "golden" / "v1_1" / "rings"
    refused = cli("serve", golden, "--host", "0.0.0.0")
    assert refused.code == 2
    assert "--token-env" in refused.err
    monkeypatch.delenv("NO_SUCH_TOKEN", raising=False)
    unset = cli("serve", golden, "--token-env", "NO_SUCH_TOKEN")
    assert (unset.code, "NO_SUCH_TOKEN holds no token" in unset.err) == (2, True)
    assert cli("serve", golden / "nothing", "--port", "0").code == 3
