"""What users bring by mistake: each has a clear error, and nothing is left behind."""

import pytest

from .conftest import Workplace

HEADER = "user_id,item_id,timestamp\n"


def refused(place: Workplace, table: str, *words: str, items: str | None = None) -> None:
    """The run ends with 5 and a message that holds `words`; no bundle is there."""
    place.interactions.write_text(table, encoding="utf-8")
    if items is not None:
        place.items.write_text(items, encoding="utf-8")
    result = place.distill()
    assert result.exit_code == 5, result.stderr
    for word in words:
        assert word in result.stderr
    assert not place.bundle.exists()


def events(user: str, items: list[str]) -> str:
    return "".join(f"{user},{item},{time}\n" for time, item in enumerate(items))


def test_one_item(workplace: Workplace) -> None:
    table = HEADER + events("u", ["a"] * 6)
    refused(workplace, table, "1 item", "at least 2", items="item_id,title\na,A\n")


def test_one_user_with_too_few_events(workplace: Workplace) -> None:
    refused(workplace, HEADER + events("u", ["0-1", "0-2", "0-3"]), "at least 4 events")


def test_one_user_is_enough(workplace: Workplace) -> None:
    """A single user with enough events gives a bundle: small, but honest."""
    walk = [f"0-{item}" for item in range(8)]
    workplace.interactions.write_text(HEADER + events("u", walk), encoding="utf-8")
    result = workplace.distill("--json")
    assert result.exit_code == 0, result.stderr
    assert workplace.bundle.exists()


def test_missing_column_names_what_to_set(workplace: Workplace) -> None:
    refused(workplace, "who,item_id\nu,0-1\n", "who", '[data] user = "..."')


def test_nothing_left_shows_the_account(workplace: Workplace) -> None:
    table = "user_id,item_id,timestamp,weight\nu,0-1,5,-1\n,0-2,6,1\nu,0-3,never,1\n"
    refused(workplace, table, "no interaction is left", "bad weight", "missing user", "bad time")


def test_unknown_setting(workplace: Workplace) -> None:
    workplace.config.write_text("[student]\nwidht = 3\n", encoding="utf-8")
    result = workplace.distill()
    assert result.exit_code == 5
    assert "widht" in result.stderr
    assert "width" in result.stderr


@pytest.mark.parametrize("model", ["./nowhere", "nowhere.gguf"])
def test_missing_model(workplace: Workplace, model: str) -> None:
    workplace.config.write_text(f'[llm]\nmodel = "{model}"\n', encoding="utf-8")
    result = workplace.distill()
    assert result.exit_code == 5, result.stderr
    assert model in result.stderr
    assert not workplace.bundle.exists()


def test_text_in_any_script(workplace: Workplace) -> None:
    titles = ["七人の侍", "عنصر", "Ελληνικά", "🎬 film", "ไทย"]
    rows = "".join(f"{item},{title}\n" for item, title in enumerate(titles))
    table = "".join(
        events(f"u{user}", [str((user + step) % 5) for step in range(4)]) for user in range(8)
    )
    workplace.interactions.write_text(HEADER + table, encoding="utf-8")
    workplace.items.write_text("item_id,title\n" + rows, encoding="utf-8")
    result = workplace.distill("--json")
    assert result.exit_code == 0, result.stderr
    assert "七人の侍" in (workplace.bundle / "catalogue" / "columns.json").read_text("utf-8")
