"""A program for the terminal: a list that changes with every item that is taken or put away.

pip install textual
python examples/terminal.py my.bundle --store events
"""

import argparse
from pathlib import Path
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.widgets import Footer, Header, OptionList, Static
from textual.widgets.option_list import Option

from pocketrec import Recommender, User


class ForYou(App[None]):
    """Recommendations of one user.

    Args:
        user: Whose.
    """

    TITLE = "For you"
    BINDINGS: ClassVar[list[BindingType]] = [
        ("d", "dislike", "Not for me"),
        ("u", "undo", "Undo the last"),
        ("e", "erase", "Forget me"),
        ("q", "quit", "Quit"),
    ]

    def __init__(self, user: User) -> None:
        super().__init__()
        self._user = user

    def compose(self) -> ComposeResult:
        """The list, and below it where it comes from."""
        yield Header()
        yield OptionList(id="items")
        yield Static(id="reason")
        yield Footer()

    def on_mount(self) -> None:
        """Fill the list."""
        self._refresh()

    def on_option_list_option_selected(self, chosen: OptionList.OptionSelected) -> None:
        """Enter, or a click: the user takes the item."""
        self._record(chosen.option, "click")

    def action_dislike(self) -> None:
        """The user does not want the item that is marked."""
        items = self.query_one(OptionList)
        if items.highlighted is not None:
            self._record(items.get_option_at_index(items.highlighted), "dislike")

    def action_undo(self) -> None:
        """The item that was taken last is put back."""
        history = self._user.history.items
        if history:
            self._user.record(history[-1], "remove")
            self._refresh()

    def action_erase(self) -> None:
        """All that is kept of the user goes."""
        self._user.erase()
        self._refresh()

    def _record(self, option: Option, event: str) -> None:
        if option.id is not None:
            # An id of Textual's may not hold every letter, so that ours stands in hexadecimal.
            self._user.record(bytes.fromhex(option.id).decode(), event)
            self._refresh()

    def _refresh(self) -> None:
        # An answer takes less than a millisecond: no worker is needed.
        answer = self._user.recommend(k=20)
        options = [
            Option(item.title or item.item_id, id=item.item_id.encode().hex())
            for item in answer.items
        ]
        items = self.query_one(OptionList)
        items.clear_options()
        items.add_options(options)
        items.highlighted = 0 if options else None
        self.query_one("#reason", Static).update(f"{answer.source}: {answer.reason}")


def main() -> None:
    """Open the program for one user."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--store", type=Path, required=True, help="folder of what users did")
    parser.add_argument("--user", default="me")
    given = parser.parse_args()
    with Recommender.open(given.bundle, store=given.store) as recommender:
        ForYou(recommender.user(given.user)).run()


if __name__ == "__main__":
    main()
