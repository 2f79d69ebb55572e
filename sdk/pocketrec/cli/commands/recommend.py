"""`pocketrec recommend`: the best items for a history, scored on this machine."""

import time
from pathlib import Path

import click

from pocketrec.cli.options import (
    bundle_argument,
    delta_option,
    history_option,
    json_option,
    read_filters,
    read_ids,
)
from pocketrec.cli.ranking import emit_answer
from pocketrec.cli.rules import rules_option, tell_idle_rules
from pocketrec.cli.server import Asking, refuse_rules, server_options
from pocketrec.opening import open_engine
from pocketrec_runtime import RuleContext, load_rules


@click.command("recommend", short_help="The best items for a history.")
@bundle_argument()
@delta_option
@history_option
@click.option(
    "-k", "k", type=click.IntRange(min=1), default=10, show_default=True, help="How many."
)
@click.option("--include-seen", is_flag=True, help="Let items of the history stand in the answer.")
@click.option(
    "--filter",
    "filters",
    multiple=True,
    metavar="COLUMN=VALUE",
    help="Only items whose column holds this value. Repeat it: values of one column widen the "
    "answer, further columns narrow it.",
)
@rules_option
@server_options
@json_option
def command(
    *,
    bundle: Path,
    deltas: tuple[Path, ...],
    history: str,
    k: int,
    include_seen: bool,
    filters: tuple[str, ...],
    rules: Path | None,
    server: str | None,
    deadline_ms: float,
    token_env: str,
    ask_share: float,
    as_json: bool,
) -> None:
    """Rank the whole catalogue of BUNDLE for a history, offline.

    With --server the device answers first, and a server may improve on it inside the deadline; the
    answer's source is then "server". What goes wrong with a server is a reason, never an error.

    Ids that the bundle does not know are skipped and named. Without any known id the answer is
    the most popular items, and says so: its source is "popularity" instead of "device".
    """
    ids = read_ids(history, "--history")
    if server is not None:
        refuse_rules(rules=rules is not None, include_seen=include_seen)
    ruled = None if rules is None else load_rules(rules)
    engine = open_engine(bundle, deltas)
    if ruled is not None:
        tell_idle_rules(ruled, engine.catalogue)
    passing = read_filters(filters, engine.catalogue) or None
    # Before ranking: the deadline is for device and server together.
    asking = None if server is None else Asking(server, deadline_ms, token_env, ask_share)
    answer = engine.recommend(
        ids,
        k=k,
        include_seen=include_seen,
        filters=passing,
        rules=ruled,
        context=RuleContext(now_s=time.time()),
    )
    if asking is not None:
        answer = asking.improve(engine, ids, k, answer, passing)
    emit_answer("recommend", answer, as_json=as_json)
