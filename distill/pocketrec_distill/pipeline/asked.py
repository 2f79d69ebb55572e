"""Which validation queries a choice is made by: fewer where an answer costs more.

Each set is spread evenly over all queries, and is all of them where they are few.
"""

from dataclasses import dataclass

import numpy as np

from pocketrec_distill.evaluation.queries import QuerySet
from pocketrec_distill.pipeline.dataset import Dataset

# Of all that a user chose in validation's time so many are asked for: who did a lot is one voice.
MAX_ASKED = 10

# A choice looks at this many queries at most, and at no larger score matrix than this.
MAX_QUERIES = 5_000
MAX_SCORES = 100_000_000

# Events that an LLM reads, where its choice among passes is made and where it is weighed and
# reported: one minute and five on two cores (SmolLM2-135M, twelve blocks).
PASS_EVENTS = 50_000
REPORT_EVENTS = 200_000


@dataclass(frozen=True)
class Asked:
    """Validation queries of a run.

    Attributes:
        choices: What trained models are compared by.
        all_that_came: What a linear model is chosen by: up to MAX_ASKED of each history.
        by_pass: What says which pass of an LLM is kept.
        reported: What every model answers for the report, and deferral is calibrated on.
        of_the_blend: What weighs its parts: as many, up to MAX_ASKED of each history.
    """

    choices: QuerySet
    all_that_came: QuerySet
    by_pass: QuerySet
    reported: QuerySet
    of_the_blend: QuerySet


def asked_of(data: Dataset, window: int) -> Asked:
    """The validation queries of a run that reads so many of the newest events."""
    count = min(MAX_QUERIES, max(1, MAX_SCORES // data.items))
    choices = data.validation.first(count)
    reported = readable(data.validation, window, REPORT_EVENTS)
    return Asked(
        choices=choices,
        all_that_came=data.validation.each(MAX_ASKED).first(count),
        by_pass=readable(choices, window, PASS_EVENTS),
        reported=reported,
        of_the_blend=reported.each(MAX_ASKED).first(count),
    )


def readable(queries: QuerySet, window: int, events: int) -> QuerySet:
    """As many queries as have so many events to read, on average.

    Args:
        queries: To take them from.
        window: Newest events of a history that are read.
        events: That may be read.
    """
    if not len(queries):
        return queries
    read = float(np.mean([min(len(history), window) for history in queries.histories]))
    return queries.first(max(1, int(events / read)))
