"""The device's answer and the server's: which one the app gets, and what it says of itself."""

from dataclasses import replace

import pytest

from pocketrec import Engine, wire
from pocketrec.fallback import Deadline, improve
from pocketrec_runtime import DeferralPolicy, DeferralStep, read_bundle
from pocketrec_runtime.bundle import assemble
from pocketrec_runtime.deferral import FEATURES

#: The small bundle's items: 50, 181, "x,y", 漢字, عنصر.
HISTORY = ["50"]


@pytest.fixture
def engine(tiny_bundle) -> Engine:
    return Engine.open(tiny_bundle)


def far() -> Deadline:
    return Deadline.after_ms(60_000)


def answers(servers, *pairs: tuple[str, float], **more):
    """A behaviour that answers /v1/recommend and /v1/score with these items."""
    listed = [{"id": item, "score": score} for item, score in pairs]

    def behave(asked) -> bool:
        key = "items" if asked.path == "/v1/recommend" else "scores"
        body = servers.json.dumps({"model": "full-model", key: listed, **more}).encode()
        asked.connection.sendall(servers.reply(body))
        return True

    return behave


def test_the_server_improves_on_the_device(servers, serve, connect, engine) -> None:
    client = connect(serve(answers(servers, ("漢字", 4.5), ("181", 2.0))).url)
    device = engine.recommend(HISTORY, k=2)
    assert [item.item_id for item in device.items] == ["181", "عنصر"]
    better = improve(client, engine, HISTORY, 2, device, far())
    assert (better.source, better.model) == ("server", "full-model")
    assert [(item.item_id, item.score) for item in better.items] == [("漢字", 4.5), ("181", 2.0)]
    assert [item.title for item in better.items] == ["七人の侍", "Return of the Jedi"]
    # Probabilities are the device's: its scores of the two are 0 and 1.
    assert [item.probability for item in better.items] == pytest.approx(
        [float(engine.probability(0.0)), float(engine.probability(1.0))]
    )


def test_without_a_url_the_answer_is_the_very_same(connect, engine) -> None:
    device = engine.recommend(HISTORY, k=2)
    assert improve(connect(None), engine, HISTORY, 2, device, far()) is device


@pytest.mark.parametrize(
    ("pairs", "reason"),
    [
        ([("181", 2.0), ("other-shop", 1.0)], "not in the catalogue"),
        ([("181", 2.0)], "1 items, the device 2"),
        ([("181", 2.0), ("50", 1.0)], "of the history"),
    ],
)
def test_a_worse_answer_leaves_the_device_s(servers, serve, connect, engine, pairs, reason) -> None:
    device = engine.recommend(HISTORY, k=2)
    kept = improve(connect(serve(answers(servers, *pairs)).url), engine, HISTORY, 2, device, far())
    assert replace(kept, reason=device.reason) == device
    assert kept.reason.startswith(device.reason + "; server: ")
    assert reason in kept.reason


def test_a_server_that_knows_as_little_leaves_the_device_s(servers, serve, connect, engine) -> None:
    device = engine.recommend(["unknown"], k=2)
    popular = answers(servers, ("50", 2.0), ("181", 1.0), source="popularity")
    kept = improve(connect(serve(popular).url), engine, ["unknown"], 2, device, far())
    assert (kept.source, kept.items) == ("popularity", device.items)


def test_a_history_that_only_the_server_knows(servers, serve, connect, engine) -> None:
    device = engine.recommend(["new-item"], k=2)
    client = connect(serve(answers(servers, ("漢字", 4.5), ("x,y", 2.0))).url)
    better = improve(client, engine, ["new-item"], 2, device, far())
    assert [item.item_id for item in better.items] == ["漢字", "x,y"]
    assert better.unknown == ("new-item",)
    # Without anything known here, a probability is the share of popularity.
    assert [item.probability for item in better.items] == pytest.approx([0.15, 0.1])


def test_candidates_are_scored_and_put_in_order(servers, serve, connect, engine) -> None:
    pairs = [("181", 1.0), ("عنصر", 3.0), ("x,y", 3.0)]
    server = serve(answers(servers, *pairs))
    device = engine.recommend(HISTORY, k=2, filters={"year": [1983, 1990, None]})
    better = improve(
        connect(server.url), engine, HISTORY, 2, device, far(), candidates=["181", "عنصر", "x,y"]
    )
    assert [(item.item_id, item.score) for item in better.items] == [("عنصر", 3.0), ("x,y", 3.0)]
    assert server.asked[0].path == "/v1/score"


def test_what_may_not_be_recommended_is_said(servers, serve, connect, engine) -> None:
    server = serve(answers(servers, ("漢字", 4.5), ("181", 2.0)))
    device = engine.recommend(HISTORY, k=2)
    kept = improve(connect(server.url), engine, HISTORY, 2, device, far(), deny=["181", "181"])
    asked = wire.RecommendRequest.read(server.asked[0].body)
    assert asked.deny == ("181",)
    assert kept.source == "device"


def test_a_question_that_the_wire_cannot_carry_leaves_the_device_s(connect, engine) -> None:
    device = engine.recommend(HISTORY, k=2)
    client = connect("http://127.0.0.1:9")
    for history, k in ((["\ud800"], 2), (HISTORY, 100_000)):
        kept = improve(client, engine, history, k, device, far())
        assert kept.items == device.items
        assert "; server: " in kept.reason
    assert client.counts == {}


def test_retired_items_of_the_server_are_not_taken(servers, serve, connect, engine) -> None:
    from pocketrec_runtime import make_delta

    retired = engine.with_delta(make_delta(engine, [], retire=["181"]))
    client = connect(serve(answers(servers, ("漢字", 4.5), ("181", 2.0))).url)
    device = retired.recommend(HISTORY, k=2)
    kept = improve(client, retired, HISTORY, 2, device, far())
    assert kept.source == "device"
    assert "not in the catalogue" in kept.reason


def test_the_policy_of_the_bundle_decides_who_asks(servers, serve, connect, tiny_bundle) -> None:
    # One event expects log(1) = 0 of gain, two events log(2): only the second is among the tenth.
    policy = DeferralPolicy(
        weights=(1.0, *[0.0] * (len(FEATURES) - 1)),
        means=(0.0,) * len(FEATURES),
        scales=(1.0,) * len(FEATURES),
        intercept=0.0,
        steps=(DeferralStep(0.1, 0.5, 0.02, 0.01, 0.03),),
    )
    contents = replace(read_bundle(tiny_bundle).contents, deferral=policy)
    engine = Engine(assemble(contents))
    server = serve(answers(servers, ("漢字", 4.5), ("x,y", 2.0)))
    client = connect(server.url, ask_share=0.1)

    def answer(history: list[str]):
        return improve(client, engine, history, 2, engine.recommend(history, k=2), far())

    sure = answer(["50"])
    assert (sure.source, "not likely to do better" in sure.reason) == ("device", True)
    assert server.asked == []
    assert answer(["50", "181"]).source == "server"
    everybody = connect(server.url)
    device = engine.recommend(["50"], k=2)
    assert improve(everybody, engine, ["50"], 2, device, far()).source == "server"
