"""`--server`: the options of a server that may improve an answer, and asking it."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import click

from pocketrec.cli.output import printable, say
from pocketrec_runtime import Engine, Recommendation
from pocketrec_runtime.errors import InputError
from pocketrec_runtime.lookup import Filters

_Function = TypeVar("_Function", bound=Callable[..., object])


def server_options(function: _Function) -> _Function:
    """`--server`, `--deadline-ms`, `--token-env` and `--ask-share`."""
    options = (
        click.option(
            "--server",
            metavar="URL",
            help="Let this server improve the answer; https, but for this machine. The history's "
            "item ids are sent there.",
        ),
        click.option(
            "--deadline-ms",
            type=click.FloatRange(min=0, max=600_000),
            default=300.0,
            show_default=True,
            metavar="N",
            help="With --server: when the answer must be there, from the start of ranking on.",
        ),
        click.option(
            "--token-env",
            metavar="NAME",
            default="POCKETREC_SERVER_TOKEN",
            show_default=True,
            help="With --server: the environment variable that holds the bearer token.",
        ),
        click.option(
            "--ask-share",
            type=click.FloatRange(min=0, max=1),
            default=1.0,
            show_default=True,
            metavar="SHARE",
            help="With --server: ask only where this request is among the share that the bundle's "
            "deferral policy expects most of.",
        ),
    )
    for option in reversed(options):
        function = option(function)
    return function


class Asking:
    """One server, one deadline: begun before the device ranks.

    Args:
        url: The server's.
        deadline_ms: For device and server together.
        token_env: Name of the environment variable with the token.
        ask_share: As in `FallbackSettings`.

    Raises:
        InputError: The URL, or the token in the environment, cannot be used.
    """

    def __init__(self, url: str, deadline_ms: float, token_env: str, ask_share: float) -> None:
        from pocketrec.fallback import Deadline, FallbackClient, FallbackSettings

        settings = FallbackSettings(url=url, token_env=token_env, ask_share=ask_share)
        self._client = FallbackClient(settings)
        self._deadline = Deadline.after_ms(deadline_ms)

    def improve(
        self,
        engine: Engine,
        history: Sequence[str],
        k: int,
        answer: Recommendation,
        filters: Filters | None,
    ) -> Recommendation:
        """The server's answer where it comes in time and holds; says what left this machine."""
        from pocketrec.fallback import improve
        from pocketrec.fallback.improve import POOL

        pool = None
        if filters:
            best = engine.recommend(history, max(k, POOL), filters=filters)
            pool = [item.item_id for item in best.items]
        found = improve(self._client, engine, history, k, answer, self._deadline, candidates=pool)
        for entry in self._client.ledger.entries():
            say(
                f"sent: {entry.history_items} item ids of the history and {entry.other_items} "
                f"others to {printable(entry.host)}:{entry.port}{entry.path}, "
                f"{entry.body_bytes} bytes{', with a token' if entry.with_token else ''}"
            )
        self._client.close()
        return found


def refuse_rules(*, rules: bool, include_seen: bool) -> None:
    """Check that nothing is asked for that a server cannot keep to.

    Raises:
        InputError: Rules or seen items are.
    """
    for given, name in ((rules, "--rules"), (include_seen, "--include-seen")):
        if given:
            raise InputError(f"{name} is the device's affair; leave out {name} or --server")
