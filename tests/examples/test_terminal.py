"""The terminal program, driven through Textual's own pilot."""

import asyncio
import importlib.util
from pathlib import Path

import pytest
from textual.widgets import OptionList, Static

from pocketrec import Recommender

PROGRAM = Path(__file__).parents[2] / "examples" / "terminal.py"


@pytest.fixture(scope="module")
def program():
    spec = importlib.util.spec_from_file_location("example_terminal", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def shown(app) -> list[str]:
    items = app.query_one(OptionList)
    return [str(items.get_option_at_index(n).prompt) for n in range(items.option_count)]


def test_items_are_taken_put_away_and_put_back(program, tiny_bundle, tmp_path) -> None:
    async def work(app) -> None:
        async with app.run_test() as pilot:
            assert shown(app)[:2] == ["Star Wars", "Return of the Jedi"]
            await pilot.press("enter")
            assert shown(app)[:2] == ["Return of the Jedi", "عنصر"]
            await pilot.press("d")
            assert shown(app)[0] == "عنصر"
            assert "device" in str(app.query_one("#reason", Static).render())
            await pilot.press("down", "enter")
            assert user.history.items == ("50", "x,y")
            await pilot.press("u")
            assert user.history.items == ("50",)
            assert user.history.disliked == {"181"}
            await pilot.press("e")
            assert shown(app)[0] == "Star Wars"
            await pilot.press("q")

    with Recommender.open(tiny_bundle, store=tmp_path) as recommender:
        user = recommender.user("me")
        asyncio.run(work(program.ForYou(user)))
        assert len(recommender.store) == 0
