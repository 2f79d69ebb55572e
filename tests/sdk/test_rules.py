"""Rules through the engine and the command line, on the small bundle (answers by hand)."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest

from pocketrec import (
    Boost,
    CalibratedShares,
    Cap,
    Deny,
    Diversity,
    Engine,
    ExposureLimit,
    InputError,
    Pin,
    Quota,
    RuleContext,
    Rules,
    load_rules,
)


@pytest.fixture(scope="module")
def engine(tiny_bundle):
    return Engine.open(tiny_bundle)


def ids(answer):
    return [item.item_id for item in answer.items]


# The last item "50" is (1,0,0,0): 181 scores 1, عنصر its bias .5, "x,y" its bias .25, 漢字 0.


def test_without_rules_items_say_nothing_of_rules(engine):
    answer = engine.recommend(["50"])
    assert ids(answer) == ["181", "عنصر", "x,y", "漢字"]
    assert all(item.placed_by is None for item in answer.items)
    assert "placed_by" not in answer.as_dict()["items"][0]


def test_rules_that_do_nothing_change_nothing_but_that_items_say_so(engine):
    plain, ruled = engine.recommend(["50"]), engine.recommend(["50"], rules=Rules())
    assert [(i.item_id, i.score, i.probability) for i in plain.items] == [
        (i.item_id, i.score, i.probability) for i in ruled.items
    ]
    assert all(item.placed_by == () for item in ruled.items)
    assert ruled.as_dict()["items"][0]["placed_by"] == ()


def test_each_item_says_why_it_stands_there(engine):
    rules = Rules(
        deny=Deny(attributes={"genre": ["Action"]}),
        pins=[Pin("漢字", 1)],
        boosts=[Boost(2.0, ids=["x,y"])],
    )
    answer = engine.recommend(["50"], rules=rules)
    # ln 2 over the slope 2 is .35: "x,y" rises to .6 and passes عنصر.
    assert [(item.item_id, item.score, item.placed_by) for item in answer.items] == [
        ("漢字", 0.0, ("pinned",)),
        ("x,y", 0.25, ("boosted",)),
        ("عنصر", 0.5, ()),
    ]


def test_rules_on_a_popularity_answer(engine):
    rules = Rules(deny=Deny(ids=["50"]), boosts=[Boost(4, ids=["x,y"])])
    answer = engine.recommend([], k=2, rules=rules)
    assert answer.source == "popularity"
    assert ids(answer) == ["x,y", "181"]  # shares .1 * 4 and .3
    assert answer.items[0].score == pytest.approx(0.1)


def test_a_pin_brings_back_neither_seen_nor_filtered_items(engine):
    pins = Rules(pins=[Pin("50", 1), Pin("181", 2)])
    assert ids(engine.recommend(["50"], filters={"genre": ["Drama"]}, rules=pins)) == ["漢字"]
    assert ids(engine.recommend(["50"], k=2, rules=pins)) == ["عنصر", "181"]
    assert ids(engine.recommend(["50"], k=1, include_seen=True, rules=pins)) == ["50"]


def test_rank_takes_rules_and_context(engine):
    state, vector = engine.prefill([0])
    rules = Rules(exposure=ExposureLimit(1, 60), caps=[Cap("genre", 1)])
    context = RuleContext(shown={"181": [100.0], "漢字": [30.0]}, now_s=120.0)
    answer = engine.rank(vector, 3, exclude=state.seen, rules=rules, context=context)
    assert ids(answer) == ["عنصر", "x,y", "漢字"]
    with pytest.raises(InputError, match="outside 0 to 4"):
        engine.rank(vector, 3, exclude=[5], rules=rules, context=context)


def test_the_history_is_what_calibration_mirrors(engine):
    rules = Rules(calibration=CalibratedShares("genre", strength=0.99))
    given = RuleContext(history=(0,))  # the history of the call stands in its place
    answer = engine.recommend(["漢字"], k=1, include_seen=True, rules=rules, context=given)
    assert ids(answer) == ["漢字"]
    answer = engine.recommend(["x,y"], k=1, include_seen=True, rules=rules)
    assert ids(answer) == ["x,y"]


def test_a_quota_of_a_number(engine):
    rules = Rules(quotas=[Quota("year", 1954, least=1)])
    assert ids(engine.recommend(["50"], k=1, rules=rules)) == ["漢字"]


def test_every_engine_call_leaves_the_catalogue_as_it_was(engine):
    before = engine.catalogue.popularity.copy()
    engine.recommend([], rules=Rules(boosts=[Boost(3, ids=["181"])], deny=Deny(ids=["50"])))
    assert np.array_equal(engine.catalogue.popularity, before)


# --- the command line -------------------------------------------------------------------------

RULES = """
[deny]
attributes = { genre = ["Action"] }
[[pin]]
item = "漢字"
position = 1
[[boost]]
factor = 2.0
ids = ["x,y", "gone"]
[exposure]
times = 1
"""


@pytest.fixture
def rules_file(tmp_path):
    path = tmp_path / "rules.toml"
    path.write_text(RULES, encoding="utf-8")
    return path


def test_recommend_with_a_file_of_rules(cli, tiny_bundle, rules_file):
    outcome = cli("recommend", tiny_bundle, "--history", "50", "--rules", rules_file, "--json")
    assert outcome.code == 0
    assert [(item["item_id"], item["placed_by"]) for item in outcome.json["items"]] == [
        ("漢字", ["pinned"]),
        ("x,y", ["boosted"]),
        ("عنصر", []),
    ]
    assert "not in the catalogue: gone" in outcome.err
    assert "exposure limit has no effect" in outcome.err


def test_the_table_has_a_column_for_rules(cli, tiny_bundle, rules_file):
    lines = cli("recommend", tiny_bundle, "--history", "50", "--rules", rules_file).out.splitlines()
    assert lines[0].split() == ["#", "item", "score", "probability", "placed", "by", "title"]
    assert "pinned" in lines[1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[deny]\nid = ['50']", "no setting 'id'"),
        ("[deny]\nattributes = { colour = ['red'] }", "no column 'colour'"),
        ("[[cap]]\ncolumn = 'genre'\nmost = 0", "cap.most is 0"),
    ],
)
def test_a_wrong_rule_ends_with_code_2(cli, tiny_bundle, tmp_path, text, message):
    path = tmp_path / "rules.toml"
    path.write_text(text)
    outcome = cli("recommend", tiny_bundle, "--history", "50", "--rules", path)
    assert outcome.code == 2
    assert message in outcome.err
    assert outcome.out == ""


def test_the_guide_runs_and_its_file_loads(tiny_bundle, tmp_path, monkeypatch, capsys):
    page = (Path(__file__).parents[2] / "docs" / "rules.md").read_text(encoding="utf-8")
    [code] = re.findall(r"```python\n(.*?)```", page, re.S)
    monkeypatch.chdir(tiny_bundle.parent)
    exec(compile(code, "rules.md", "exec"), {})
    assert capsys.readouterr().out.splitlines()[0] == "50 ('pinned',)"
    [file] = re.findall(r"```toml\n(.*?)```", page, re.S)
    path = tmp_path / "rules.toml"
    path.write_text(file, encoding="utf-8")
    assert (
        Engine.open(tiny_bundle)
        .recommend(["172"], rules=load_rules(path), context=RuleContext(now_s=0.0))
        .items
    )


def test_the_guide_names_every_rule():
    page = (Path(__file__).parents[2] / "docs" / "rules.md").read_text(encoding="utf-8")
    rules = (Deny, Pin, Boost, Cap, Quota, Diversity, CalibratedShares, ExposureLimit)
    for rule in rules:
        [row] = [line for line in page.splitlines() if line.startswith(f"| `{rule.__name__}` |")]
        for field in dataclasses.fields(rule):
            assert f"`{field.name}`" in row
