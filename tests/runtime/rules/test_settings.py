"""Rules are checked when made, and when read from a file."""

import json

import pytest

from pocketrec_runtime import (
    Boost,
    CalibratedShares,
    Cap,
    Deny,
    Diversity,
    ExposureLimit,
    Pin,
    Quota,
    Rules,
    load_rules,
)
from pocketrec_runtime.errors import InputError

NAN = float("nan")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Deny(ids="abc"), "deny.ids is 'abc', a str; give a list"),
        (lambda: Deny(ids=[7]), "deny.ids holds 7"),
        (lambda: Deny(ids=[""]), "deny.ids holds ''"),
        (lambda: Deny(attributes={"brand": "acme"}), r"give a list of values: \['acme'\]"),
        (lambda: Deny(attributes={"brand": [True]}), "holds True"),
        (lambda: Deny(attributes={"year": [NAN]}), "holds nan"),
        (lambda: Deny(attributes={"": ["a"]}), "name of a catalogue column"),
        (lambda: Pin("", 1), "pin.item holds ''"),
        (lambda: Pin("a", 0), "pin.position is 0; give an integer of at least 1"),
        (lambda: Pin("a", True), "pin.position is True"),
        (lambda: Pin("a", 1.0), "pin.position is 1.0"),
        (lambda: Boost(0, ids=["a"]), "boost.factor is 0; give a number above 0"),
        (lambda: Boost(NAN, ids=["a"]), "finite"),
        (lambda: Boost("2", ids=["a"]), "boost.factor is '2'"),
        (lambda: Boost(2), "matches no item"),
        (lambda: Cap("brand", 0), "cap.most is 0"),
        (lambda: Cap(3, 1), "cap.column is 3"),
        (lambda: Quota("brand", "a"), "asks for nothing"),
        (lambda: Quota("brand", "a", least=2, most=1), "most 1 is below least 2"),
        (lambda: Quota("brand", ["a"], least=1), "quota.value holds"),
        (lambda: Quota("brand", "a", least=-1), "quota.least is -1"),
        (lambda: Diversity(1.5), "from 0 to 1"),
        (lambda: Diversity(0.5, column=""), "diversity.column"),
        (lambda: CalibratedShares("g", -0.1), "from 0 to 1"),
        (lambda: CalibratedShares("g", target={"a": -1.0}), "of 'a' is -1.0"),
        (lambda: CalibratedShares("g", target={"a": 0}), "no positive weight"),
        (lambda: ExposureLimit(0), "exposure.times is 0"),
        (lambda: ExposureLimit(1, 0), "above 0"),
        (lambda: Rules(pins=[Pin("a", 1), Pin("b", 1)]), "pin position 1 is given twice"),
        (lambda: Rules(pins=[Pin("a", 1), Pin("a", 2)]), "pinned item 'a' is given twice"),
        (lambda: Rules(caps=[Cap("a", 1), Cap("a", 2)]), "capped column 'a'"),
        (lambda: Rules(quotas=[Quota("a", "x", 1), Quota("a", "x", 2)]), "quota"),
        (lambda: Rules(pool_factor=0), "pool_factor is 0"),
    ],
)
def test_a_wrong_value_is_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_rules_keep_no_hold_of_what_they_were_made_from():
    denied, attributes = ["a"], {"brand": ["x"]}
    deny = Deny(denied, attributes)
    denied.append("b")
    attributes["brand"].append("y")
    assert deny == Deny({"a"}, {"brand": {"x"}})


TOML = """
pool_factor = 4

[deny]
ids = ["7"]
attributes = { genre = ["Horror"], year = [1999, 2000.5] }

[[pin]]
item = "50"
position = 2

[[boost]]
factor = 2
attributes = { genre = ["Comedy"] }

[[boost]]
factor = 0.5
ids = ["漢字"]

[[cap]]
column = "brand"
most = 2

[[quota]]
column = "genre"
value = "Documentary"
least = 1

[diversity]
strength = 0.25
column = "genre"

[calibration]
column = "genre"
strength = 0.5
target = { Drama = 3, Comedy = 1 }

[exposure]
times = 2
period_s = 3600
"""


def check_loaded(rules: Rules) -> None:
    assert rules.pool_factor == 4
    assert rules.deny == Deny({"7"}, {"genre": {"Horror"}, "year": {1999, 2000.5}})
    assert rules.pins == (Pin("50", 2),)
    assert rules.boosts == (Boost(2, attributes={"genre": {"Comedy"}}), Boost(0.5, ids={"漢字"}))
    assert rules.caps == (Cap("brand", 2),)
    assert rules.quotas == (Quota("genre", "Documentary", least=1),)
    assert rules.diversity == Diversity(0.25, "genre")
    assert rules.calibration == CalibratedShares("genre", 0.5, {"Drama": 3, "Comedy": 1})
    assert rules.exposure == ExposureLimit(2, 3600)


def test_toml_and_json_say_the_same(tmp_path):
    import tomllib

    path = tmp_path / "rules.toml"
    path.write_text(TOML, encoding="utf-8")
    check_loaded(load_rules(path))
    path = tmp_path / "rules.json"
    path.write_text(json.dumps(tomllib.loads(TOML)), encoding="utf-8")
    check_loaded(load_rules(path))


def test_an_empty_file_is_no_rule(tmp_path):
    path = tmp_path / "rules.toml"
    path.write_text("")
    rules = load_rules(path)
    assert (rules.deny, rules.pins, rules.diversity) == (Deny(), (), None)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("r.toml", "denied = 1", "no rule 'denied'; known: pool_factor, deny, "),
        ("r.toml", "[deny]\nid = ['a']", r"\[deny\] has no setting 'id'; known: ids, attributes"),
        ("r.toml", "[[pin]]\nitem = 'a'", r"\[\[pin\]\] 1 lacks 'position'"),
        ("r.toml", "[pin]\nitem = 'a'", r"write it as \[\[pin\]\]"),
        ("r.toml", "deny = ['a']", r"\[deny\] is \['a'\]; write it as a table"),
        ("r.toml", "[deny]\nids = 5", "deny.ids is 5"),
        ("r.toml", "[deny]\nattributes = 5", "attributes is 5; write it as a table"),
        ("r.toml", "[calibration]\ncolumn = 'a'\ntarget = [1]", "target is"),
        ("r.toml", "[deny]\nattributes = { day = [2020-01-01] }", "holds datetime.date"),
        ("r.toml", "[diversity]\nstrength = 2.0", "from 0 to 1"),
        ("r.toml", "[diversity]\nstrength = nan", "finite"),
        ("r.toml", "[deny\n", "not UTF-8 TOML"),
        ("r.json", "[]", "not an object"),
        ("r.json", '{"deny": {"ids": ["a"]}, "deny": {}}', "stands twice"),
        ("r.json", '{"diversity": {"strength": NaN}}', "NaN"),
    ],
)
def test_a_wrong_file_is_refused_by_name(tmp_path, name, text, message):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(InputError, match=message) as refused:
        load_rules(path)
    assert str(path) in str(refused.value)


def test_bytes_that_are_no_text_are_refused(tmp_path):
    path = tmp_path / "r.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="UTF-8"):
        load_rules(path)
