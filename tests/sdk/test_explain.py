"""`explain`: what is printed, and what is refused."""

from pathlib import Path

import pytest

from pocketrec_runtime import Engine

GOLDEN = Path(__file__).parents[1] / "golden" / "v1_0" / "rings"


def test_the_answer_is_the_engines(cli) -> None:
    given = ("explain", GOLDEN, "--history", "1-3,old,1-4,0-7", "--item", "1-5", "--top", "2")
    found = cli(*given, "--json").json
    expected = Engine.open(GOLDEN).explain(["1-3", "old", "1-4", "0-7"], "1-5", top=2)
    assert found.pop("schema") == "pocketrec.explain/1"
    assert found["unknown"] == ["old"]
    assert [event["position"] for event in found["events"]] == [0, 2, 3]
    assert found["because"][0]["item_id"] == expected.because[0].item_id
    assert found["because"][0]["score_drop"] == expected.because[0].score_drop
    assert (found["rank"], found["score"]) == (expected.rank, expected.score)
    shown = cli(*given)
    assert f"place {expected.rank}" in shown.out
    assert expected.because[0].item_id in shown.out
    assert "skipped: old" in shown.err


def test_an_empty_history_is_explained_by_popularity(cli) -> None:
    shown = cli("explain", GOLDEN, "--history", "", "--item", "1-5")
    assert shown.code == 0
    assert "source: popularity" in shown.err
    assert "without" not in shown.out


@pytest.mark.parametrize(
    ("more", "message"),
    [(("--item", "nobody"), "'nobody' is not in the catalogue"), (("--top", "-1"), "-1")],
)
def test_bad_input_is_refused(cli, more, message) -> None:
    outcome = cli("explain", GOLDEN, "--history", "1-3", "--item", "1-5", *more)
    assert outcome.code == 2
    assert message in outcome.err
