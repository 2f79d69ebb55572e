"""The loss of a step where a closed set of items stands for a large catalogue."""

from torch import Tensor

from pocketrec_distill.models.base import PADDING
from pocketrec_distill.training.closure import Proposal, close
from pocketrec_distill.training.distances import best_of_dense, sparse_distance
from pocketrec_distill.training.losses import MASKED, sampled_hard_label_loss
from pocketrec_distill.training.positions import Positions
from pocketrec_distill.training.settings import TrainSettings
from pocketrec_distill.training.sparse_labels import SparseBatch


def sampled_catalogue_loss(
    users: Tensor, table: Tensor, at: Positions, proposal: Proposal, settings: TrainSettings
) -> Tensor:
    """Hard labels and distance to the teacher, from the candidates, own top items and draws.

    Args:
        users: User vectors (positions, width).
        table: Item vectors (items, width).
        at: What came next, and what the teacher says.
        proposal: Where negatives are drawn from.
        settings: See `TrainSettings`.
    """
    wanted = _wanted(at, settings)
    # Positions without labels take part with no candidates.
    columns = 0 if wanted is None else wanted.candidates.shape[1]
    candidates = at.targets.new_full((len(at), columns), PADDING)
    if wanted is not None:
        candidates[at.labelled] = wanted.candidates
    drawn = proposal.draw(settings.samples)
    closure = close(
        users, table, at.targets, candidates, seen=at.seen, own=settings.own, drawn=drawn
    )
    hard = sampled_hard_label_loss(closure.target, closure.partition, at.weights)
    hard_share, distance_share = at.shares(settings)
    if wanted is None:
        return hard_share * hard
    return hard_share * hard + distance_share * sparse_distance(
        closure[at.labelled], wanted, settings
    )


def _wanted(at: Positions, settings: TrainSettings) -> SparseBatch | None:
    """The teacher's candidates of the labelled positions, none of them seen."""
    if at.found is None:
        return None
    old, found = at.seen[at.labelled], at.found
    if isinstance(found, Tensor):
        found = best_of_dense(found.scatter(-1, old, MASKED), settings.candidates)
    return found.without(old)
