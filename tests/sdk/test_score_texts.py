"""`score --texts`: files of texts, read and refused."""

from pathlib import Path

import pytest

from pocketrec_runtime import Engine

GOLDEN = Path(__file__).parents[1] / "golden" / "v1_0" / "rings"


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    path = tmp_path / "texts.txt"
    path.write_bytes("\ufeffn1\tWalk 11, deep ocean\r\n\nloud city\n".encode())
    return path


def test_texts_are_scored_in_their_order(cli, texts) -> None:
    found = cli("score", GOLDEN, "--history", "1-3,1-4", "--texts", texts, "--json").json
    assert found["schema"] == "pocketrec.score_texts/1"
    assert [item["item_id"] for item in found["items"]] == ["n1", "3"]
    expected = Engine.open(GOLDEN).score_texts(["1-3", "1-4"], ["Walk 11, deep ocean", "loud city"])
    assert [item["score"] for item in found["items"]] == [item.score for item in expected.items]
    shown = cli("score", GOLDEN, "--history", "1-3,1-4", "--texts", texts)
    assert "Walk 11, deep ocean" in shown.out
    assert "source: device" in shown.err


def test_history_texts_fill_in_for_unknown_ids(cli, texts, tmp_path) -> None:
    history = tmp_path / "history.txt"
    history.write_text("new\tWalk 3, loud city\n")
    given = ("score", GOLDEN, "--texts", texts, "--json", "--history")
    assert cli(*given, "new,old").json["source"] == "popularity"
    found = cli(*given, "new,old", "--history-texts", history).json
    assert (found["source"], found["unknown"]) == ("device", ["old"])


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"\n \n", "holds no text"), (b"\xff\xfe", "not UTF-8 (byte 0)")],
)
def test_a_file_without_texts_is_refused(cli, texts, content, message) -> None:
    texts.write_bytes(content)
    outcome = cli("score", GOLDEN, "--history", "", "--texts", texts)
    assert outcome.code == 2
    assert message in outcome.err


def test_options_that_do_not_go_together_are_refused(cli, texts) -> None:
    base = ("score", GOLDEN, "--history", "1-3")
    for more, message in (
        ((), "either --candidates or --texts"),
        (("--candidates", "1-3", "--texts", texts), "either --candidates or --texts"),
        (("--candidates", "1-3", "--history-texts", texts), "goes with --texts"),
        (("--texts", texts, "--history-texts", texts), "line 3 has no tab"),
    ):
        outcome = cli(*base, *more)
        assert outcome.code == 2
        assert message in outcome.err
