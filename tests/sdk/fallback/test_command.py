"""`recommend --server` against a real server: source, reason, and what it says was sent."""

import json

import pytest


@pytest.fixture
def improving(servers, serve):
    """A server that answers 漢字 and 181, or scores candidates by their places."""

    def behave(asked) -> bool:
        if asked.path != "/v1/recommend":
            return servers.good(asked)
        items = [{"id": "漢字", "score": 4.5}, {"id": "181", "score": 2.0}]
        asked.connection.sendall(servers.reply(servers.items_body(items)))
        return True

    return serve(behave)


def recommend(cli, bundle, server, *more: str):
    return cli(
        "recommend", bundle, "--history", "50", "-k", "2", "--json",
        "--server", server, "--deadline-ms", "60000", *more,
    )  # fmt: skip


def test_the_answer_says_source_and_reason(cli, tiny_bundle, improving) -> None:
    outcome = recommend(cli, tiny_bundle, improving.url)
    assert outcome.code == 0
    assert [item["item_id"] for item in outcome.json["items"]] == ["漢字", "181"]
    assert (outcome.json["source"], outcome.json["model"]) == ("server", "full-model")
    assert "1 item ids of the history and 0 others to 127.0.0.1" in outcome.err
    assert "token" not in outcome.err


def test_the_table_says_it_too(cli, tiny_bundle, improving) -> None:
    outcome = cli("recommend", tiny_bundle, "--history", "50", "-k", "2", "--server",
                  improving.url, "--deadline-ms", "60000")  # fmt: skip
    assert "source: server (ranked by the server's model within the deadline)" in outcome.err


def test_a_dead_server_leaves_the_device_s_answer(cli, tiny_bundle, improving) -> None:
    improving.close()
    outcome = recommend(cli, tiny_bundle, improving.url)
    assert outcome.code == 0
    assert [item["item_id"] for item in outcome.json["items"]] == ["181", "عنصر"]
    assert outcome.json["source"] == "device"
    assert "server: nothing listens" in outcome.json["reason"]
    assert "sent:" not in outcome.err


def test_the_token_comes_from_the_named_variable(
    cli, tiny_bundle, improving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP", "s3cr3t")
    outcome = recommend(cli, tiny_bundle, improving.url, "--token-env", "SHOP")
    assert improving.asked[0].header("Authorization") == "Bearer s3cr3t"
    assert "with a token" in outcome.err
    assert "s3cr3t" not in outcome.err + outcome.out


def test_with_filters_the_server_scores_what_passes(cli, tiny_bundle, improving) -> None:
    outcome = recommend(cli, tiny_bundle, improving.url, "--filter", "genre=Action",
                        "--filter", "genre=Drama")  # fmt: skip
    # The server's scores are the places it was asked in; 181 is the device's first, 漢字 the next.
    assert json.loads(improving.asked[0].body)["candidates"] == ["181", "漢字"]
    assert [item["item_id"] for item in outcome.json["items"]] == ["漢字", "181"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--include-seen",), "--include-seen is the device's affair"),
        (("--server", "http://recs.example.com"), "in the clear"),
        (("--server", "https://user:hunter2@recs.example.com"), "token in the environment"),
    ],
)
def test_what_cannot_be_asked_is_refused(cli, tiny_bundle, improving, more, message) -> None:
    outcome = recommend(cli, tiny_bundle, improving.url, *more)
    assert outcome.code == 2
    assert message in outcome.err
    assert "hunter2" not in outcome.err
    assert improving.asked == []


def test_a_share_of_none_asks_nobody(cli, tiny_bundle, improving) -> None:
    outcome = recommend(cli, tiny_bundle, improving.url, "--ask-share", "0")
    assert outcome.json["source"] == "device"
    assert improving.asked == []
