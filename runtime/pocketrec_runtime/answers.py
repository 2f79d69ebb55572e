"""What the engine answers: ranked items, and where the ranking comes from."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from pocketrec_runtime.catalogue import Catalogue

AnswerSource = Literal["device", "popularity", "server"]


@dataclass(frozen=True)
class RankedItem:
    """One item of an answer.

    Attributes:
        item_id: Its id in the catalogue.
        score: <user vector, item vector> + item bias; the popularity share where the answer's
            source is "popularity".
        probability: The calibrated score; the popularity share likewise.
        title: The catalogue's title, or None.
        placed_by: The rules that put it where it stands: "pinned", "boosted", "demoted", "quota",
            "cap" (a better item was over a cap), "diversity", "calibration"; empty where it is
            the model's own choice. None where no rules were given.
    """

    item_id: str
    score: float
    probability: float
    title: str | None
    placed_by: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Recommendation:
    """The best items for a history.

    Attributes:
        items: Best first; fewer than asked for where seen items and filters leave fewer.
        source: "device" is the user tower, "popularity" the fallback without a known history,
            "server" a larger model elsewhere (the SDK asks it; the engine never does).
        reason: Why this source, in words.
        model: Fingerprint of the model that answered.
        unknown: Ids of the history that the catalogue does not hold, each once, in their order.
    """

    items: tuple[RankedItem, ...]
    source: AnswerSource
    reason: str
    model: str
    unknown: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The answer as JSON values; `placed_by` only where rules were given."""
        return _plain(self)


@dataclass(frozen=True)
class Scores:
    """Scores of given candidates for a history.

    Attributes:
        items: One per known candidate, in the order given, duplicates kept.
        source: As in Recommendation.
        reason: As in Recommendation.
        model: As in Recommendation.
        unknown: As in Recommendation.
        unknown_candidates: Candidates that the catalogue does not hold, each once.
    """

    items: tuple[RankedItem, ...]
    source: AnswerSource
    reason: str
    model: str
    unknown: tuple[str, ...] = ()
    unknown_candidates: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The answer as JSON values; `placed_by` only where rules were given."""
        return _plain(self)


@dataclass(frozen=True)
class TextScore:
    """One text's score.

    Attributes:
        score: <user vector, item vector of the text> + the bias of items without one.
        probability: The calibrated score.
    """

    score: float
    probability: float


@dataclass(frozen=True)
class TextScores:
    """Scores of candidates that are given as text.

    Attributes:
        items: One per text, in the order given.
        source: "device" where something of the history was known, else "popularity": scored for
            a reader of the average item.
        reason: As in Recommendation.
        model: As in Recommendation.
        unknown: Ids of the history that the catalogue does not hold and that came without text.
    """

    items: tuple[TextScore, ...]
    source: AnswerSource
    reason: str
    model: str
    unknown: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The answer as JSON values."""
        return asdict(self)


def ranked_items(
    catalogue: Catalogue,
    indices: NDArray[np.int64],
    scores: NDArray[np.float32],
    probabilities: NDArray[np.float32],
) -> tuple[RankedItem, ...]:
    """Items of an answer from arrays of one length, in their order.

    Args:
        catalogue: Where ids and titles stand.
        indices: Item indices.
        scores: Their scores.
        probabilities: Their probabilities, or popularity shares.
    """
    ids, titles = catalogue.ids, catalogue.columns["title"]
    return tuple(
        # The catalogue holds titles to be strings or None.
        RankedItem(ids[index], score, probability, cast("str | None", titles[index]))
        for index, score, probability in zip(
            indices.tolist(), scores.tolist(), probabilities.tolist(), strict=True
        )
    )


def with_rules(
    items: Sequence[RankedItem], placed_by: Sequence[tuple[str, ...]]
) -> tuple[RankedItem, ...]:
    """The items, each with the rules that placed it."""
    return tuple(
        replace(item, placed_by=rules) for item, rules in zip(items, placed_by, strict=True)
    )


def answer_source(known: bool, unknown: Sequence[str]) -> tuple[AnswerSource, str]:
    """Where an answer comes from and why, with a known history or without."""
    if known:
        return "device", "ranked by the user tower on this device"
    reason = "no id of the history is in the catalogue" if unknown else "the history is empty"
    return "popularity", reason


def _plain(answer: Recommendation | Scores) -> dict[str, Any]:
    values = asdict(answer)
    for item in values["items"]:
        if item["placed_by"] is None:
            del item["placed_by"]
    return values
