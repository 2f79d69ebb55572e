"""The lines that `pocketrec shell` takes."""

import cmd
import itertools
import shlex
from typing import IO

from pocketrec.cli.commands.explain import show_explanation
from pocketrec.cli.options import read_filters
from pocketrec.cli.output import emit, printable, say, table
from pocketrec.cli.ranking import emit_answer
from pocketrec.recommender import Recommender
from pocketrec_runtime.errors import InputError, PocketrecError

USAGE = {
    "user": "user NAME",
    "record": "record ID [EVENT]",
    "recommend": "recommend [K] [COLUMN=VALUE ...]",
    "score": "score ID ...",
    "explain": "explain ID",
    "find": "find TEXT",
    "history": "history",
    "erase": "erase",
    "quit": "quit",
    "help": "help",
}
"""How each command is written; what it does says its docstring."""

_SHOWN = 20


class Shell(cmd.Cmd):
    """Commands on one recommender, as one user at a time; a wrong line is told and passed over.

    Args:
        recommender: What answers.
        user: The user to start as.
        stdin: Where lines come from when nobody types.
        interactive: Whether somebody types: with a prompt, history and completion of commands.
    """

    def __init__(
        self, recommender: Recommender, user: str, stdin: IO[str], *, interactive: bool
    ) -> None:
        super().__init__(stdin=stdin)
        self._recommender = recommender
        self._user = recommender.user(user)
        self.interactive = interactive
        self.use_rawinput = interactive
        self.refused = 0
        self.prompt = self._prompt()
        if interactive:
            items = len(recommender.engine.catalogue)
            self.intro = f"{items:,} items; `help` lists the commands, `quit` ends."

    def onecmd(self, line: str) -> bool:
        """Runs a line; what it refuses is told."""
        try:
            return bool(super().onecmd(line))
        except PocketrecError as error:
            self.refused += 1
            say(f"Error: {printable(str(error))}")
            return False

    def emptyline(self) -> bool:
        """Nothing; `Cmd` would repeat the last line."""
        return False

    def default(self, line: str) -> None:
        """A line that starts with no command, or the end of the lines."""
        if line != "EOF":
            raise InputError(f"no command {line.split(maxsplit=1)[0]!r}; `help` lists them")
        raise EOFError

    def do_user(self, line: str) -> None:
        """Go on as this user."""
        (name,) = _words(line, USAGE["user"], least=1, most=1)
        self._user = self._recommender.user(name)
        self.prompt = self._prompt()

    def do_record(self, line: str) -> None:
        """Keep an event, "click" unless said; "dislike" and "remove" take an item out."""
        item, *event = _words(line, USAGE["record"], least=1, most=2)
        kept = self._user.record(item, event[0]) if event else self._user.record(item)
        known = self._recommender.engine.catalogue.index_of(item) is not None
        say(f"recorded {kept.event}" + ("" if known else "; the catalogue does not hold the item"))

    def do_recommend(self, line: str) -> None:
        """Show the best items, 10 unless said."""
        words = _words(line, USAGE["recommend"], least=0)
        k = 10
        if words and "=" not in words[0]:
            k = _number(words.pop(0))
        filters = read_filters(words, self._recommender.engine.catalogue)
        emit_answer("recommend", self._user.recommend(k, filters=filters or None), as_json=False)

    def do_score(self, line: str) -> None:
        """Show the scores of these items."""
        candidates = _words(line, USAGE["score"], least=1)
        emit_answer("score", self._user.score(candidates), as_json=False)

    def do_explain(self, line: str) -> None:
        """Name the events that carry the item's place."""
        (item,) = _words(line, USAGE["explain"], least=1, most=1)
        show_explanation(self._user.explain(item))

    def do_find(self, line: str) -> None:
        """Find items whose title holds the text, in upper or lower case."""
        wanted = " ".join(_words(line, USAGE["find"], least=1)).casefold()
        catalogue = self._recommender.engine.catalogue
        titled = zip(catalogue.ids, catalogue.columns["title"], strict=True)
        found = (
            [item, title]
            for item, title in titled
            if isinstance(title, str) and wanted in title.casefold()
        )
        emit(table(["item", "title"], list(itertools.islice(found, _SHOWN))))

    def do_history(self, line: str) -> None:
        """Show what the user's events come to, oldest first."""
        _words(line, USAGE["history"], least=0, most=0)
        history, catalogue = self._user.history, self._recommender.engine.catalogue
        rows = [
            [item, "" if index < 0 else str(catalogue.columns["title"][index] or "")]
            for item, index in zip(
                history.items, catalogue.indices_of(list(history.items)), strict=True
            )
        ]
        emit(table(["item", "title"], rows))
        if history.disliked:
            say(f"disliked: {', '.join(map(printable, sorted(history.disliked)))}")

    def do_erase(self, line: str) -> None:
        """Remove all that is kept of the user."""
        _words(line, USAGE["erase"], least=0, most=0)
        say(f"{self._user.erase():,} events erased")

    def do_quit(self, line: str) -> bool:
        """End."""
        _words(line, USAGE["quit"], least=0, most=0)
        return True

    def do_help(self, arg: str) -> None:
        """Show this list."""
        del arg
        told = [[usage, getattr(self, f"do_{name}").__doc__] for name, usage in USAGE.items()]
        emit(table(["command", "what it does"], told))

    def cmdloop(self, intro: str | None = None) -> None:
        """Takes lines until `quit` or their end."""
        try:
            super().cmdloop(intro)
        except EOFError:
            if self.interactive:
                say("")

    def _prompt(self) -> str:
        return f"{printable(self._user.id)}> " if self.interactive else ""


def _words(line: str, usage: str, *, least: int, most: int | None = None) -> list[str]:
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise InputError(f"{error}; put a word with spaces or quotes in quotes") from error
    if len(words) < least or (most is not None and len(words) > most):
        raise InputError(f"give: {usage}")
    return words


def _number(word: str) -> int:
    try:
        return int(word)
    except ValueError as error:
        raise InputError(f"{word!r} is no number of items") from error
