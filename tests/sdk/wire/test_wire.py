"""Requests and answers are read strictly: each malformation has its own refusal."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketrec.wire import (
    ERROR_CODES,
    MAX_ANSWER_BYTES,
    MAX_CANDIDATES,
    MAX_ID_BYTES,
    MAX_K,
    MAX_REQUEST_BYTES,
    ErrorAnswer,
    RecommendAnswer,
    RecommendRequest,
    ScoreAnswer,
    ScoredItem,
    ScoreRequest,
    WireError,
    read_timeout_ms,
)

ASKED = RecommendRequest(("b", "a", "b"), 3, ("x",))
SCORES = ScoreRequest(("a",), ("p", "q", "r"))


def answer(**changes: object) -> bytes:
    values = {"model": "f" * 64, "items": [{"id": "c", "score": 2.5}, {"id": "d", "score": -1}]}
    return json.dumps({**values, **changes}).encode()


def items(*pairs: tuple[object, object]) -> list[dict[str, object]]:
    return [{"id": item_id, "score": score} for item_id, score in pairs]


def test_a_request_is_read_as_it_was_written() -> None:
    assert RecommendRequest.read(ASKED.body()) == ASKED
    assert ScoreRequest.read(SCORES.body()) == SCORES
    assert json.loads(ASKED.body()) == {"history": ["b", "a", "b"], "k": 3, "deny": ["x"]}


def test_deny_may_be_left_out_and_history_may_be_empty() -> None:
    assert RecommendRequest.read(b'{"history": [], "k": 1}') == RecommendRequest((), 1)


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b"", 400, "request is not the JSON"),
        (b"\xff{}", 400, "not the JSON"),
        (b'{"history": [], "k": NaN}', 400, "NaN is no JSON number"),
        (b'{"history": [], "k": 1, "k": 2}', 400, "'k' stands twice"),
        (b'{"history": ["\\ud800"], "k": 1}', 400, "lone surrogate"),
        (b"[" * 30_000, 400, "not the JSON"),
        (b'{"history": [], "k": ' + b"9" * 30_000 + b"}", 400, "too large an integer"),
        (b" " * (MAX_REQUEST_BYTES + 1), 413, "larger than 65536 bytes"),
        (b"[]", 422, "request is a list; it must be an object"),
        (b'{"k": 1}', 422, "lacks 'history'"),
        (b'{"history": []}', 422, "lacks 'k'"),
        (b'{"history": [], "k": 1, "denny": ["x"]}', 422, "unknown key 'denny'"),
        (b'{"history": "ab", "k": 1}', 422, "history is 'ab'; it must be a list"),
        (b'{"history": ["a", 7], "k": 1}', 422, "history[1] is 7"),
        (b'{"history": [""], "k": 1}', 422, "history[0] is ''"),
        (b'{"history": ["a\\u0000"], "k": 1}', 422, "without NUL"),
        (b'{"history": [], "k": 0}', 422, "k is 0; give an integer from 1 to 1000"),
        (b'{"history": [], "k": 1001}', 422, "k is 1001"),
        (b'{"history": [], "k": true}', 422, "k is True"),
        (b'{"history": [], "k": 1.0}', 422, "k is 1.0"),
        (b'{"history": [], "k": "7"}', 422, "k is '7'"),
        (b'{"history": [], "k": 1, "deny": ["x", "x"]}', 422, "deny holds an id twice"),
        (b'{"history": [], "k": 1, "deny": null}', 422, "deny is None"),
        (b'{"history": [[["a"]]], "k": 1}', 422, "history[0] is a list of 1"),
    ],
)
def test_a_malformed_request_is_refused(body: bytes, status: int, says: str) -> None:
    with pytest.raises(WireError) as refused:
        RecommendRequest.read(body)
    assert refused.value.status == status
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("candidates", "says"),
    [
        ([], "0 candidates"),
        ([str(n) for n in range(MAX_CANDIDATES + 1)], "1001 candidates"),
        (["p", "q", "p"], "candidates holds an id twice"),
        (["é" * (MAX_ID_BYTES // 2) + "a"], "candidates[0] has 513 bytes"),
    ],
)
def test_candidates_are_bounded(candidates: list[str], says: str) -> None:
    body = json.dumps({"history": [], "candidates": candidates}).encode()
    with pytest.raises(WireError) as refused:
        ScoreRequest.read(body)
    assert says in str(refused.value)


def test_the_longest_of_everything_is_taken() -> None:
    longest = "é" * (MAX_ID_BYTES // 2)
    assert RecommendRequest((longest,), MAX_K).history == (longest,)


def test_a_request_larger_than_a_server_takes_is_not_written() -> None:
    history = tuple(f"{n:0>500}" for n in range(140))
    with pytest.raises(WireError, match="at most 65536 are allowed"):
        RecommendRequest(history, 5).body()


def test_an_answer_is_read_as_it_was_written() -> None:
    given = RecommendAnswer("m", (ScoredItem("c", 0.1), ScoredItem("é", -3.0)), "popularity")
    assert RecommendAnswer.read(given.body(), ASKED) == given
    scored = ScoreAnswer("m", (ScoredItem("p", -0.5), ScoredItem("r", 7.25)))
    assert ScoreAnswer.read(scored.body(), SCORES) == scored


def test_an_answer_may_hold_keys_of_a_newer_server() -> None:
    read = RecommendAnswer.read(answer(took_ms=3), ASKED)
    assert read == RecommendAnswer("f" * 64, (ScoredItem("c", 2.5), ScoredItem("d", -1.0)))


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"<html>busy</html>", "not the JSON"),
        (b'{"model": "m", "items": [{"id": "c", "score": NaN}]}', "NaN is no JSON number"),
        (b'{"model": "m", "items": [{"id": "c", "score": 1e999}]}', "too large a number"),
        (b" " * (MAX_ANSWER_BYTES + 1), "larger than 1048576 bytes"),
        (b"null", "answer is a NoneType"),
        (answer(model=7), "model is 7"),
        (answer(model=""), "model is ''"),
        (answer(source="device"), "source is 'device'"),
        (answer(items={}), "items is a dict of 0"),
        (answer(items=["c"]), "items[0] is a str"),
        (answer(items=items(("c", None))), "score is None"),
        (answer(items=items(("c", True))), "score is True"),
        (answer(items=items(("c", "2.5"))), "score is '2.5'"),
        (answer(items=items((7, 1.0))), "items[0]: id is 7"),
        (answer(items=items(("c", 2.0), ("c", 1.0))), "holds an item twice"),
        (answer(items=items(("c", 1.0), ("d", 2.0))), "not best first"),
        (answer(items=items(("c", 2.0), ("a", 1.0))), "'a' is of the history or denied"),
        (answer(items=items(("x", 2.0))), "'x' is of the history or denied"),
        (answer(items=items(*((n, 1.0) for n in "cdef"))), "4 items where 3 were asked for"),
    ],
)
def test_a_wrong_answer_is_refused(body: bytes, says: str) -> None:
    with pytest.raises(WireError) as refused:
        RecommendAnswer.read(body, ASKED)
    assert says in str(refused.value)


def test_scores_come_in_the_order_asked() -> None:
    asked = set(SCORES.candidates)
    for length in range(4):
        for ids in itertools.permutations(sorted(asked), length):
            body = json.dumps({"model": "m", "scores": items(*((i, 1.0) for i in ids))}).encode()
            if list(ids) == sorted(ids):
                assert len(ScoreAnswer.read(body, SCORES).scores) == length
            else:
                with pytest.raises(WireError, match="out of order"):
                    ScoreAnswer.read(body, SCORES)


def test_a_score_that_was_not_asked_for_is_refused() -> None:
    body = json.dumps({"model": "m", "scores": items(("z", 1.0))}).encode()
    with pytest.raises(WireError, match="'z' was not asked for"):
        ScoreAnswer.read(body, SCORES)


@pytest.mark.parametrize("score", [float("nan"), float("inf")])
def test_nan_is_never_written(score: float) -> None:
    with pytest.raises(WireError) as refused:
        RecommendAnswer("m", (ScoredItem("c", score),)).body()
    assert refused.value.status == 500


def test_an_error_is_read_as_it_was_written() -> None:
    error = ErrorAnswer(ERROR_CODES[429], "the queue is full")
    assert json.loads(error.body()) == {
        "error": {"code": "too_many_requests", "message": "the queue is full"}
    }
    assert ErrorAnswer.read(error.body()) == error
    assert ErrorAnswer.read(ErrorAnswer("invalid", "\ud800" + "m" * 2_000).body()).message == (
        "?" + "m" * 999
    )
    with pytest.raises(WireError, match="error is a str"):
        ErrorAnswer.read(b'{"error": "busy"}')


@pytest.mark.parametrize(
    ("header", "expected"),
    [(None, None), ("250", 250), (" 7 ", 7), ("999999999", 600_000)],
)
def test_a_timeout_is_read(header: str | None, expected: int | None) -> None:
    assert read_timeout_ms(header) == expected


@pytest.mark.parametrize("header", ["", "0", "-5", "1.5", "1e3", "٣", "soon", "9" * 10])
def test_an_odd_timeout_is_refused(header: str) -> None:
    with pytest.raises(WireError) as refused:
        read_timeout_ms(header)
    assert refused.value.status == 400


@given(st.binary(max_size=200) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["model", "items", "id", "score", "history", "k", "deny"]), inner
    ),
    max_leaves=12,
).map(lambda value: json.dumps(value).encode()))  # fmt: skip
def test_nothing_but_a_wire_error_comes_out_of_any_bytes(body: bytes) -> None:
    readers = (
        RecommendRequest.read,
        ScoreRequest.read,
        lambda data: RecommendAnswer.read(data, ASKED),
        lambda data: ScoreAnswer.read(data, SCORES),
        ErrorAnswer.read,
    )
    statuses = {200}
    for read in readers:
        try:
            read(body)
        except WireError as error:
            statuses.add(error.status)
    assert statuses <= {200, *ERROR_CODES}
