"""What a recommender asks the server, where it has one."""

from pocketrec.fallback import Deadline, FallbackClient, improve
from pocketrec.fallback.improve import POOL
from pocketrec.recommender.view import UserView
from pocketrec_runtime import Recommendation
from pocketrec_runtime.lookup import Filters


def improved(
    client: FallbackClient,
    view: UserView,
    k: int,
    answer: Recommendation,
    deadline: Deadline,
    filters: Filters | None,
) -> Recommendation:
    """As `improve`; with filters the server scores the device's best that pass them."""
    read, pool = view.read, None
    if filters:
        exclude = read.disliked | frozenset(read.known)
        ranked = read.engine.rank(view.vector, max(k, POOL), exclude=exclude, filters=filters)
        pool = [item.item_id for item in ranked.items]
    return improve(
        client,
        read.engine,
        read.history.items,
        k,
        answer,
        deadline,
        deny=sorted(read.history.disliked),
        candidates=pool,
    )
