"""`recommend` and `score` on the small bundle, whose answers are computed by hand."""

import math
import shlex
from pathlib import Path

import numpy as np
import pytest

from pocketrec.cli.options import read_ids, write_ids
from pocketrec_runtime import Engine, NewItem, make_delta, write_delta


def probability(score: float) -> float:
    """The bundle's calibration: slope 2, intercept -1."""
    return 1 / (1 + math.exp(-(2 * score - 1)))


def ids(answer) -> list[str]:
    return [item["item_id"] for item in answer["items"]]


def test_recommend_ranks_by_the_last_item(cli, tiny_bundle) -> None:
    answer = cli("recommend", tiny_bundle, "--history", "漢字,50", "--json").json
    # Last item "50" is (1,0,0,0): 181 scores 1, عنصر its bias .5, "x,y" its bias .25; two are seen.
    assert ids(answer) == ["181", "عنصر", "x,y"]
    assert [item["score"] for item in answer["items"]] == [1.0, 0.5, 0.25]
    assert [item["probability"] for item in answer["items"]] == pytest.approx(
        [probability(1.0), probability(0.5), probability(0.25)]
    )
    assert [item["title"] for item in answer["items"]] == [
        "Return of the Jedi",
        None,
        "Red \x1b[31malert",
    ]
    assert answer["source"] == "device"
    assert answer["unknown"] == []
    assert len(answer["model"]) == 64


def test_the_schema_is_the_first_key(cli, tiny_bundle) -> None:
    outcome = cli("recommend", tiny_bundle, "--history", "50", "--json")
    assert outcome.code == 0
    assert next(iter(outcome.json.items())) == ("schema", "pocketrec.recommend/1")
    assert list(outcome.json["items"][0]) == ["item_id", "score", "probability", "title"]


def test_k_and_seen_items(cli, tiny_bundle) -> None:
    base = ("recommend", tiny_bundle, "--history", "181", "--json")
    # (1,1,0,0): "x,y" scores 1.25, "50" 1, عنصر .5, 漢字 0; with seen items "181" itself scores 2.
    assert ids(cli(*base, "-k", 2).json) == ["x,y", "50"]
    assert ids(cli(*base, "-k", 2, "--include-seen").json) == ["181", "x,y"]
    assert len(cli(*base, "-k", 1000).json["items"]) == 4


@pytest.mark.parametrize("history", ["", "  ", "nobody,knows"])
def test_no_known_history_is_answered_with_popularity(cli, tiny_bundle, history) -> None:
    answer = cli("recommend", tiny_bundle, "--history", history, "-k", 2, "--json").json
    assert answer["source"] == "popularity"
    assert ids(answer) == ["50", "181"]
    assert [item["score"] for item in answer["items"]] == pytest.approx([0.4, 0.3])
    assert [item["probability"] for item in answer["items"]] == pytest.approx([0.4, 0.3])
    assert answer["unknown"] == (["nobody", "knows"] if history.strip() else [])


def test_unknown_ids_are_skipped_and_named(cli, tiny_bundle) -> None:
    known = cli("recommend", tiny_bundle, "--history", "50", "--json").json
    mixed = cli("recommend", tiny_bundle, "--history", "ghost,50,ghost", "--json").json
    assert mixed["items"] == known["items"]
    assert mixed["unknown"] == ["ghost"]


def test_a_quoted_id_may_hold_a_comma(cli, tiny_bundle) -> None:
    answer = cli("recommend", tiny_bundle, "--history", '50,"x,y"', "-k", 1, "--json").json
    # (0,1,0,0) with "50" and "x,y" seen: 181 scores 1.
    assert (ids(answer), answer["unknown"]) == (["181"], [])


def test_a_space_after_the_comma_is_no_part_of_an_id(cli, tiny_bundle) -> None:
    answer = cli("recommend", tiny_bundle, "--history", "181, 50", "-k", 1, "--json").json
    assert (ids(answer), answer["unknown"]) == (["عنصر"], [])


def test_history_from_stdin(cli, tiny_bundle) -> None:
    lines = "\ufeff漢字\r\nx,y\n\n50".encode()
    answer = cli("recommend", tiny_bundle, "--history", "-", "--json", stdin=lines).json
    assert (ids(answer), answer["unknown"]) == (["181", "عنصر"], [])


def test_stdin_that_is_not_text_is_refused(cli, tiny_bundle) -> None:
    outcome = cli("recommend", tiny_bundle, "--history", "-", stdin=b"50\n\xff\xfe\n")
    assert outcome.code == 2
    assert "byte 3 is 0xff" in outcome.err
    assert outcome.out == ""


def test_filters_narrow_by_column_and_widen_by_value(cli, tiny_bundle) -> None:
    base = ("recommend", tiny_bundle, "--history", "50", "--json")
    assert ids(cli(*base, "--filter", "genre=Drama").json) == ["漢字"]
    assert ids(cli(*base, "--filter", "genre=Drama", "--filter", "genre=Comedy").json) == [
        "x,y",
        "漢字",
    ]
    assert ids(cli(*base, "--filter", "genre=Action", "--filter", "year=1983").json) == ["181"]
    assert ids(cli(*base, "--filter", "genre=Drama", "--filter", "year=1983").json) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--history", "a,,b"), "id 2 of 3 is empty"),
        (("--history", '"a'), "not one CSV record"),
        (("--history", "50", "--filter", "genre"), "'genre' is not COLUMN=VALUE"),
        (("--history", "50", "--filter", "colour=red"), "no column 'colour'"),
        (("--history", "50", "-k", "0"), "-k"),
        (("--history", "50", "-k", "many"), "-k"),
        ((), "--history"),
    ],
)
def test_bad_input_is_told_with_exit_code_2(cli, tiny_bundle, arguments, message) -> None:
    outcome = cli("recommend", tiny_bundle, *arguments)
    assert outcome.code == 2
    assert message in outcome.err
    assert outcome.out == ""


def test_the_table_escapes_what_could_steer_a_terminal(cli, tiny_bundle) -> None:
    outcome = cli("recommend", tiny_bundle, "--history", "50")
    lines = outcome.out.splitlines()
    assert lines[0].split() == ["#", "item", "score", "probability", "title"]
    assert lines[1].split(maxsplit=4) == ["1", "181", "1.0000", "0.7311", "Return of the Jedi"]
    assert "\x1b" not in outcome.out
    assert r"Red \x1b[31malert" in lines[3]
    assert "source: device" in outcome.err


def test_the_table_names_unknown_ids(cli, tiny_bundle) -> None:
    history = ",".join(["50", *(f"ghost{n}" for n in range(12))])
    outcome = cli("recommend", tiny_bundle, "--history", history)
    assert "ghost9 and 2 more" in outcome.err
    assert "ghost10" not in outcome.err


def test_score_keeps_the_order_of_the_candidates(cli, tiny_bundle) -> None:
    answer = cli(
        "score", tiny_bundle, "--history", "181", "--candidates", '漢字,ghost,"x,y",50', "--json"
    ).json
    assert answer["schema"] == "pocketrec.score/1"
    assert [(item["item_id"], item["score"]) for item in answer["items"]] == [
        ("漢字", 0.0),
        ("x,y", 1.25),
        ("50", 1.0),
    ]
    assert answer["unknown_candidates"] == ["ghost"]


def test_score_without_a_history_is_popularity(cli, tiny_bundle) -> None:
    answer = cli("score", tiny_bundle, "--history", "", "--candidates", "x,عنصر", "--json").json
    assert answer["source"] == "popularity"
    assert answer["items"][0]["score"] == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("history", "candidates", "message"),
    [("-", "-", "both read stdin"), ("50", "", "names no item")],
)
def test_score_refuses(cli, tiny_bundle, history, candidates, message) -> None:
    outcome = cli("score", tiny_bundle, "--history", history, "--candidates", candidates)
    assert outcome.code == 2
    assert message in outcome.err


def test_a_zip_bundle_answers_too(cli, shifted_bundle) -> None:
    answer = cli("recommend", shifted_bundle, "--history", "181", "-k", 1, "--json").json
    assert [(item["item_id"], item["score"]) for item in answer["items"]] == [("x,y", 1.75)]


@pytest.mark.parametrize("history", [["50"], ["a,b", 'say "x"', " outer "], ["$HOME", "a'b"]])
def test_ids_survive_the_shell_and_the_record(history) -> None:
    [argument] = shlex.split(write_ids(history))
    assert read_ids(argument, "--history") == history


def test_deltas_are_laid_over_the_bundle_in_their_order(cli, tiny_bundle, tmp_path) -> None:
    engine = Engine.open(tiny_bundle)
    vector = np.array([3, 0, 0, 0], np.float32)
    first, second = tmp_path / "first.delta", tmp_path / "second.delta"
    write_delta(first, make_delta(engine, [NewItem("new", vector=vector)]))
    write_delta(second, make_delta(engine, [NewItem("new", vector=-vector)], retire=["181"]))
    base = ("recommend", tiny_bundle, "--history", "50", "-k", 3, "--json")
    plain, one = cli(*base).json, cli(*base, "--delta", first).json
    assert ids(one) == ["new", *ids(plain)[:2]]
    assert one["model"] != plain["model"]
    both = cli(*base, "--delta", first, "--delta", second).json
    assert "new" not in ids(both)
    assert "181" not in ids(both)
    other_way = cli(*base, "--delta", second, "--delta", first).json
    assert ids(other_way)[0] == "new"
    score = ("score", tiny_bundle, "--history", "50", "--candidates", "new", "--json")
    assert cli(*score).json["unknown_candidates"] == ["new"]
    assert cli(*score, "--delta", first).json["items"][0]["score"] == 3.0
    explain = ("explain", tiny_bundle, "--history", "50", "--item", "new", "--json")
    assert cli(*explain).code == 2
    assert cli(*explain, "--delta", first).json["rank"] == 1
    lines = cli("shell", tiny_bundle, "--delta", first, stdin=b"score new\n").out
    assert "new" in lines


def test_a_delta_that_is_none_or_of_another_bundle_is_refused(cli, tiny_bundle, tmp_path) -> None:
    base = ("recommend", tiny_bundle, "--history", "50", "--delta")
    assert cli(*base, tmp_path / "no.delta").code == 2
    (tmp_path / "text.delta").write_text("a delta", encoding="utf-8")
    outcome = cli(*base, tmp_path / "text.delta")
    assert outcome.code == 3
    assert "text.delta is no pocketrec-delta file" in outcome.err
    other = Engine.open(Path(__file__).parents[1] / "golden" / "v1_0" / "rings")
    write_delta(tmp_path / "other.delta", make_delta(other, []))
    outcome = cli(*base, tmp_path / "other.delta")
    assert outcome.code == 3
    assert "make it again with this bundle" in outcome.err
