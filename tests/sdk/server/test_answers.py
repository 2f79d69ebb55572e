"""What a server answers when it is asked as the wire format says."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from pocketrec.wire import RecommendAnswer, RecommendRequest, ScoreAnswer, ScoreRequest
from pocketrec_runtime import Engine, make_delta, write_delta

from .conftest import Running, Start

GOLDEN = Path(__file__).parents[2] / "golden" / "v1_1" / "rings"


def test_the_best_come_first_without_history_and_denied(ring: Running) -> None:
    request = RecommendRequest(("i4", "nobody", "i2"), 3, ("i5", "unheard-of"))
    with ring.client() as client:
        sent = client.post("/v1/recommend", content=request.body())
    answer = RecommendAnswer.read(sent.content, request)
    assert [item.item_id for item in answer.items] == ["i3", "i0", "i1"]
    assert [round(item.score, 5) for item in answer.items] == [1.0, 0.7, 0.6]
    assert (answer.model, answer.source) == ("r" * 64, "model")
    assert (sent.status_code, sent.headers["content-type"]) == (200, "application/json")
    assert len(sent.headers["x-request-id"]) == 16


def test_more_than_there_are_is_all_of_them(ring: Running) -> None:
    assert len(ring.recommend("i0", k=1000).json()["items"]) == 5


def test_an_unknown_history_gets_popularity(ring: Running) -> None:
    for history in ((), ("nobody",)):
        answer = ring.recommend(*history, k=2).json()
        assert answer["source"] == "popularity"
        assert [item["id"] for item in answer["items"]] == ["i1", "i2"]


def test_scores_come_in_the_order_asked(ring: Running) -> None:
    request = ScoreRequest(("i2",), ("i5", "nobody", "i2", "i3"))
    with ring.client() as client:
        sent = client.post("/v1/score", content=request.body())
    answer = ScoreAnswer.read(sent.content, request)
    found = {item.item_id: round(item.score, 5) for item in answer.scores}
    assert list(found.items()) == [("i5", 0.8), ("i2", 0.5), ("i3", 1.0)]


def test_items_by_id_and_by_page(ring: Running) -> None:
    with ring.client() as client:
        named = client.get("/v1/items", params={"ids": 'i3,"no,body",i1'}).json()
        first = client.get("/v1/items", params={"limit": 4}).json()
        rest = client.get("/v1/items", params={"limit": 4, "offset": first["next"]}).json()
        assert client.get("/v1/items", params={"ids": '"i3'}).status_code == 422
        assert client.get("/v1/items", params={"limit": 101}).status_code == 422
    assert named["items"] == [
        {"id": "i3", "columns": {"title": "Item 3"}},
        {"id": "i1", "columns": {"title": "Item 1"}},
    ]
    assert [item["id"] for item in first["items"] + rest["items"]] == [f"i{n}" for n in range(6)]
    assert (first["total"], first["next"], rest["next"]) == (6, 4, None)


def test_requests_that_wait_are_answered_in_one_run(start: Start) -> None:
    server = start("slow", max_batch=16)
    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(server.recommend, "i0", k=1)
        answers = list(pool.map(lambda n: server.recommend(f"i{n}", k=1), [1, 2, 3, 4, 5, 0, 1, 2]))
    assert first.result().json()["items"][0]["id"] == "i1"
    best = [answer.json()["items"][0]["id"] for answer in answers]
    assert best == ["i2", "i3", "i4", "i5", "i0", "i1", "i2", "i3"]
    with server.client() as client:
        page = client.get("/metrics").text.splitlines()
    figures = dict(line.rsplit(" ", 1) for line in page if not line.startswith("#"))
    assert float(figures["pocketrec_batch_histories_sum"]) == 9
    assert float(figures["pocketrec_batch_histories_count"]) < 6
    assert figures['pocketrec_requests_total{path="/v1/recommend",status="200"}'] == "9.0"
    assert float(figures["pocketrec_computed_events"]) == 9


def test_states_and_what_is_not_there(ring: Running) -> None:
    with ring.client() as client:
        assert client.get("/healthz").json() == {"status": "ok"}
        assert client.get("/readyz").json() == {"status": "ready"}
        assert client.get("/v2").json()["error"]["code"] == "not_found"
        wrong = client.get("/v1/recommend")
        assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
        assert wrong.json()["error"]["code"] == "method_not_allowed"
        paths = client.get("/openapi.json").json()["paths"]
    assert {"/v1/recommend", "/v1/score", "/v1/items", "/healthz", "/readyz"} <= set(paths)


@pytest.mark.parametrize("with_delta", [False, True])
def test_the_command_serves_a_bundle_as_its_engine_answers(
    tmp_path: Path, *, with_delta: bool
) -> None:
    command = [sys.executable, "-m", "pocketrec", "serve", str(GOLDEN), "--port", "0"]
    engine = Engine.open(GOLDEN)
    if with_delta:
        delta = make_delta(engine, [], retire=engine.catalogue.ids[:9])
        write_delta(tmp_path / "today.delta", delta)
        command += ["--delta", str(tmp_path / "today.delta")]
        engine = engine.with_delta(delta)
    histories = [list(engine.catalogue.ids[n : n + 1 + n % 5]) for n in range(12)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            url = json.loads(process.stderr.readline())["url"]

            def ask(history: list[str]) -> dict[str, object]:
                body = {"history": history, "k": 4}
                return httpx.post(f"{url}/v1/recommend", json=body, trust_env=False).json()

            with ThreadPoolExecutor(6) as pool:
                answers = list(pool.map(ask, histories))
            body = {"history": histories[1], "candidates": list(engine.catalogue.ids)}
            scores = httpx.post(f"{url}/v1/score", json=body, trust_env=False).json()["scores"]
            process.terminate()
            assert process.wait(30) == 0
        finally:
            process.kill()
    assert {score["id"] for score in scores} == {
        item.item_id for item in engine.score(histories[1], engine.catalogue.ids).items
    }
    for history, answer in zip(histories, answers, strict=True):
        expected = engine.recommend(history, 4)
        assert answer["model"] == engine.fingerprint
        assert [(i["id"], round(i["score"], 4)) for i in answer["items"]] == [
            (item.item_id, round(item.score, 4)) for item in expected.items
        ]
