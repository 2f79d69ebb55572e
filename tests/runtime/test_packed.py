"""Packed ids and columns against plain Python, and JSON read member by member."""

import json
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketrec_runtime.bundle import strict_json
from pocketrec_runtime.errors import BundleFormatError, InputError
from pocketrec_runtime.packed import PackedIds, PackedText, pack_column
from pocketrec_runtime.packed.columns import (
    CodedColumn,
    ListColumn,
    NumberColumn,
    PlainColumn,
    TextColumn,
    inverted,
)

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5)
integers = st.integers(-(2**63) + 1, 2**63 - 1)
floats = st.floats(allow_nan=False, allow_infinity=False)
lists = st.lists(st.sampled_from(["drama", "war", "", "é漢"]), max_size=4)
columns = st.one_of(
    st.lists(kind, max_size=12)
    for kind in (
        texts | st.none(),
        st.sampled_from(["a", "b", None]),
        integers,
        integers | st.none(),
        floats,
        floats | st.none(),
        lists,
        lists | st.none(),
        st.none(),
        texts | integers | floats | lists | st.none(),
    )
)


def plain(values):
    return tuple(tuple(value) if isinstance(value, list) else value for value in values)


@given(columns)
def test_a_packed_column_is_its_values(values):
    packed = pack_column("x", values)
    expected = plain(values)
    assert len(packed) == len(expected)
    for found, value in zip(packed, expected, strict=True):
        assert repr(found) == repr(value)  # 1 is not 1.0 here, nor 0.0 -0.0
    assert packed == expected
    assert packed[1:3] == expected[1:3]


@given(columns)
def test_postings_of_a_packed_column_are_those_of_its_values(values):
    found, expected = pack_column("x", values).postings(), inverted(plain(values))
    assert set(found) == set(expected)
    for value, indices in expected.items():
        assert found[value].tolist() == indices.tolist()
        assert found[value].dtype == np.int64


@pytest.mark.parametrize(
    ("values", "form"),
    [
        (["a", "b", None], TextColumn),
        (["a", "b"] * 4 + [None] * 4, CodedColumn),
        ([3, 1, None], NumberColumn),
        ([0.5, -0.0], NumberColumn),
        ([["a"], [], None], ListColumn),
        ([1, 1.5], PlainColumn),
        (["a", 1], PlainColumn),
        ([1e308, 1e308], PlainColumn),  # their sum is infinite, they are not
    ],
)
def test_each_kind_of_value_has_its_form(values, form):
    assert type(pack_column("x", values)) is form


@pytest.mark.parametrize(
    "values",
    [[2**63], [-(2**63)], [10**400], [1.0, float("nan")], [float("inf"), float("-inf")], [True],
     [1, True], [[1]], [["a"], [None]], [{}], ["\0"], [["\0"]], [["\ud800"]], ["\ud800", 5]],
)  # fmt: skip
def test_what_a_bundle_cannot_hold_is_refused(values):
    with pytest.raises(InputError, match="column 'x'"):
        pack_column("x", values)


def test_an_index_out_of_bounds_is_an_error():
    for sequence in (pack_column("x", ["a", "b"]), PackedIds.pack(["a", "b"])):
        assert sequence[-1] == "b"
        for index in (2, -3):
            with pytest.raises(IndexError):
                sequence[index]


def test_packed_values_take_few_bytes():
    ids = [f"item-{i:06d}" for i in range(10_000)]
    as_objects = sum(map(sys.getsizeof, ids)) + sys.getsizeof(dict.fromkeys(ids))
    assert PackedIds.pack(ids).size_bytes == 10_000 * (11 + 4 + 8 + 4) + 4 < as_objects / 2


def test_offsets_beyond_four_gigabytes_keep_their_width():
    text = PackedText(b"ab", np.array([0, 1, 2], np.int64))
    assert list(text) == ["a", "b"]


@given(st.lists(texts.filter(bool), unique=True), st.lists(texts))
def test_ids_are_found_where_they_stand(ids, others):
    packed = PackedIds.pack(ids)
    places = {item_id: place for place, item_id in enumerate(ids)}
    wanted = [*others, *reversed(ids)]
    assert packed.indices_of(wanted) == [places.get(item_id, -1) for item_id in wanted]
    for item_id in wanted:
        assert packed.index_of(item_id) == places.get(item_id)
        assert (item_id in packed) == (item_id in places)
    assert list(packed) == ids


def test_ids_of_equal_hashes_are_told_apart():
    text = PackedText.pack(["a", "b", "c"], "ids")
    packed = PackedIds(text, np.full(3, hash("b"), np.int64))
    assert packed.index_of("b") == 1
    third = PackedIds(text, np.array([hash("c"), hash("c"), hash("c")], np.int64))
    assert third.index_of("c") == 2
    assert PackedIds(text, np.full(3, hash("z"), np.int64)).index_of("z") is None


def test_a_lone_surrogate_is_unknown_even_where_its_hash_is_known():
    packed = PackedIds(PackedText.pack(["a"], "ids"), np.array([hash("\ud800")], np.int64))
    assert packed.index_of("\ud800") is None


json_values = st.recursive(
    st.none() | integers | floats | texts, lambda inner: st.lists(inner, max_size=3)
)


@given(st.dictionaries(texts, json_values, max_size=4), st.sampled_from([None, 2]))
def test_members_are_those_of_the_object(value, indent):
    data = json.dumps(value, indent=indent, ensure_ascii=False).encode()
    assert dict(strict_json.members(data, "x.json")) == value


@pytest.mark.parametrize(
    "text",
    ["", "[", "{", "[]", "1", '{"a"}', '{"a":}', '{"a":1', '{"a":1,}', '{"a":1 "b":2}', '{"a":1}x',
     '{"a":1,"a":2}', '{"a":{"b":1,"b":2}}', '{"a":NaN}', '{"a":Infinity}', "{1:2}", '{,"a":1}',
     '{"a":1}{}', '{"a":"\\u12"}', '\ufeff{"a":1}', '{"a":' + "[" * 100_000],
)  # fmt: skip
def test_malformed_objects_are_refused(text):
    with pytest.raises(BundleFormatError, match=r"x\.json is not the JSON"):
        list(strict_json.members(text.encode(), "x.json"))


def test_bytes_that_are_no_utf8_are_refused():
    with pytest.raises(BundleFormatError, match=r"x\.json is not the JSON"):
        list(strict_json.members(b'{"a":"\xff"}', "x.json"))
