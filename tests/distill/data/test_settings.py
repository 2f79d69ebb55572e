"""The `[data]` section."""

import dataclasses
import math

import pytest

from pocketrec_distill.data import DataSettings, DropRule
from pocketrec_distill.errors import ConfigError

FULL = {
    "format": "online-retail",
    "baskets": True,
    "user": "CustomerID",
    "item": "StockCode",
    "time": "InvoiceDate",
    "event": "kind",
    "weight": "n",
    "rating": "stars",
    "item_id": "code",
    "title": "Description",
    "min_rating": 3,
    "event_weights": {"view": 0, "buy": 2.5},
    "user_core": 4,
    "item_core": 2,
    "known_items_only": True,
    "encoding": "latin-1",
    "drop": [{"column": "InvoiceNo", "op": "startswith", "value": "C"}],
}


def test_every_setting_is_read() -> None:
    assert set(FULL) == {f.name for f in dataclasses.fields(DataSettings)}
    found = DataSettings.from_mapping(FULL)
    assert found.drop == (DropRule("InvoiceNo", "startswith", "C"),)
    assert (found.min_rating, type(found.min_rating)) == (3.0, float)
    rest = {key: value for key, value in FULL.items() if key not in ("drop", "min_rating")}
    assert {key: getattr(found, key) for key in rest} == rest
    assert DataSettings.from_mapping({}) == DataSettings()


def test_what_is_said_is_read_back() -> None:
    found = DataSettings.from_mapping(FULL)
    plain = found.as_dict()
    assert DataSettings.from_mapping({**plain, "drop": list(plain["drop"])}) == found


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"usr": "u"}, r"\[data\] has no setting 'usr'; known: format, baskets, user"),
        ({"user": 3}, r"\[data\] user is 3; it must be of type str"),
        ({"user_core": 0}, r"\[data\] user_core is 0; give a finite number above 0"),
        ({"item_core": -2}, r"\[data\] item_core is -2"),
        ({"user_core": 2.0}, "must be of type int"),
        ({"user_core": True}, "must be of type int"),
        ({"known_items_only": 1}, "must be of type bool"),
        ({"min_rating": "3"}, "must be of type int or float"),
        ({"min_rating": True}, "must be of type int or float"),
        ({"min_rating": -1}, "min_rating is -1.0; give 0 to keep all, or more"),
        ({"min_rating": math.nan}, "min_rating is nan"),
        ({"event_weights": [1]}, "must be of type Mapping"),
        ({"event_weights": {"view": -1}}, r"\[data.event_weights\] view is -1; give 0 or more"),
        ({"event_weights": {"view": math.nan}}, "view is nan"),
        ({"event_weights": {"view": math.inf}}, "view is inf"),
        ({"event_weights": {"view": "2"}}, "view is '2'"),
        ({"event_weights": {"view": True}}, "view is True"),
        ({"encoding": "utf-99"}, "encoding is 'utf-99'; Python knows no such encoding"),
        ({"drop": {"column": "a"}}, r"write it as sections \[\[data.drop\]\]"),
        ({"drop": ["a"]}, r"write it as sections \[\[data.drop\]\]"),
        ({"drop": [{"column": "a", "op": "=="}]}, "takes column, op and value"),
        ({"drop": [{"column": "a", "op": "==", "value": 1, "x": 2}]}, "takes column, op and value"),
        ({"drop": [{"column": "a", "op": "=", "value": 1}]}, "op is '='; choose one of ==, !="),
        ({"drop": [{"column": 1, "op": "==", "value": 1}]}, "column 1 or value 1 is off"),
        ({"drop": [{"column": "a", "op": "==", "value": True}]}, "value True is off"),
        ({"drop": [{"column": "a", "op": "==", "value": [1]}]}, "is off"),
        ({"drop": [{"column": "a", "op": "==", "value": math.nan}]}, "is off"),
        ({"drop": [{"column": "a", "op": "<", "value": "1"}]}, "< does not go with value '1'"),
        ({"drop": [{"column": "a", "op": "contains", "value": 1}]}, "contains does not go with"),
    ],
    ids=str,
)
def test_what_is_refused(values: dict, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        DataSettings.from_mapping(values)


@pytest.mark.parametrize("op", ["==", "!=", "<", "<=", ">", ">="])
def test_rules_over_numbers(op: str) -> None:
    assert DropRule("a", op, 1).value == 1
    assert DropRule("a", op, 1.5).value == 1.5


@pytest.mark.parametrize("op", ["==", "!=", "startswith", "contains"])
def test_rules_over_text(op: str) -> None:
    assert DropRule("a", op, "x").value == "x"
