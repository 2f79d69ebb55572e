"""Relations of items from a small graph, by hand."""

from pathlib import Path

import pytest

from pocketrec_distill.config import DistillConfig, config_from_mapping
from pocketrec_distill.data.knowledge import (
    Fact,
    KnowledgeSettings,
    read_knowledge,
    readable,
    told,
    words_of,
)
from pocketrec_distill.errors import ConfigError, DataError
from pocketrec_distill.pipeline.prepare import prepare

from .formats.miniatures import recbole

LINKS = "item_id:token\tentity_id:token\n1\tm.f1\n2\tm.f2\n3\tm.f3\n9\tm.f9\n"
# The director stands as a head, the sequel is an item itself, everybody speaks English.
FACTS = (
    "head_id:token\trelation_id:token\ttail_id:token\n"
    "m.f1\tfilm.film.directed_by\tm.0ann\n"
    "m.0ann\tfilm.director.film\tm.f2\n"
    "m.f1\tfilm.film.sequel\tm.f2\n"
    "m.f1\tfilm.film.language\tEnglish_language\n"
    "m.f2\tfilm.film.language\tEnglish_language\n"
    "m.f3\tfilm.film.language\tEnglish_language\n"
    "m.f3\tfilm.film.genre\tspace_opera\n"
    "m.f2\tfilm.film.genre\tspace_opera\n"
    "m.f3\tfilm.film.actor\tm.0once\n"
)


@pytest.fixture
def graph(tmp_path: Path) -> tuple[Path, Path]:
    kg, link = tmp_path / "x.kg", tmp_path / "x.link"
    kg.write_text(FACTS)
    link.write_text(LINKS)
    return kg, link


def test_relations_in_both_directions_by_hand(graph: tuple[Path, Path]) -> None:
    settings = KnowledgeSettings(most_share=0.7)
    found = read_knowledge(*graph, ("1", "2", "3", "4"), ("One", "Two", None, "Four"), settings)
    # Three linked items: English stands with all three, the actor with one; both are left out, and
    # so are the two ends of the sequel, each met once.
    assert found.facts == (
        (Fact("directed by", "m.0ann", ""),),
        (Fact("film", "m.0ann", ""), Fact("genre", "space_opera", "space opera")),
        (Fact("genre", "space_opera", "space opera"),),
        (),
    )
    assert (found.linked, found.left_out) == (3, 4)
    assert found.entities == (("m.0ann",), ("m.0ann", "space_opera"), ("space_opera",), ())


def test_rarest_first_and_items_by_their_titles(graph: tuple[Path, Path]) -> None:
    settings = KnowledgeSettings(least_items=1, most_share=1)
    found = read_knowledge(*graph, ("1", "2", "3"), ("One", "Two", "Three"), settings)
    assert [fact.entity for fact in found.facts[0]] == ["m.f2", "m.0ann", "English_language"]
    assert found.facts[0][0] == Fact("sequel", "m.f2", "Two")
    assert found.facts[1][0] == Fact("sequel", "m.f1", "One")


def test_an_items_text_with_its_relations() -> None:
    facts = (
        Fact("sequel", "m.f2", "Two"), Fact("directed by", "m.0ann", ""),
        Fact("genre", "a", "opera"), Fact("genre", "b", "drama"), Fact("genre", "c", "noir"),
    )  # fmt: skip
    assert told("One", facts, 3) == "One. sequel: Two. genre: opera, drama"
    assert told("One", facts, 0) == "One"


@pytest.mark.parametrize(
    ("entity", "words"),
    [("m.0bln8", ""), ("Q42", ""), ("g.11b_x", ""), ("1234", ""), ("space_opera", "space opera"),
     ("Tom Hanks", "Tom Hanks"), ("magenta", "magenta")],
)  # fmt: skip
def test_what_can_be_read(entity: str, words: str) -> None:
    assert readable(entity) == words


def test_words_of_a_relation() -> None:
    assert words_of("film.film.directed_by") == "directed by"
    assert words_of("directed_by") == "directed by"


def test_malformed(graph: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="links none of the 1 items"):
        read_knowledge(*graph, ("7",), (None,), KnowledgeSettings())
    bad = tmp_path / "bad.kg"
    bad.write_text("head_id:token\ttail_id:token\na\tb\n")
    with pytest.raises(DataError, match=r"bad.kg has no column relation_id"):
        read_knowledge(bad, graph[1], ("1",), (None,), KnowledgeSettings())


@pytest.mark.parametrize(
    "values",
    [{"kg": "x.kg"}, {"width": -1}, {"facts": -1}, {"least_items": 0}, {"most_share": 0.0}],
)
def test_settings_out_of_bounds(values: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="knowledge"):
        config_from_mapping({"knowledge": values})


def test_the_graph_beside_the_data(tmp_path: Path) -> None:
    recbole(tmp_path)
    auto = config_from_mapping({"knowledge": {"kg": "auto", "most_share": 0.5}})
    said: list[str] = []
    data = prepare(tmp_path, None, auto, said.append)
    assert data.entities[:4] == (("m.g0",), ("m.g1",), ("m.g2",), ("m.g0",))
    assert "knowledge: 15 of 15 items are linked, 15 relations kept" in said[0]
    plain = prepare(tmp_path, None, DistillConfig(), print)
    assert plain.entities == ()
    assert plain.fingerprint != data.fingerprint
    (tmp_path / "mini.kg").unlink()
    with pytest.raises(ConfigError, match=r"kg is auto, but no NAME.kg"):
        prepare(tmp_path, None, auto, print)
