"""What the engine answers: ranked items, and where the ranking comes from."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

AnswerSource = Literal["device", "popularity"]


@dataclass(frozen=True)
class RankedItem:
    """One item of an answer.

    Attributes:
        item_id: Its id in the catalogue.
        score: <user vector, item vector> + item bias; the popularity share where the answer's
            source is "popularity".
        probability: The calibrated score; the popularity share likewise.
        title: The catalogue's title, or None.
    """

    item_id: str
    score: float
    probability: float
    title: str | None


@dataclass(frozen=True)
class Recommendation:
    """The best items for a history.

    Attributes:
        items: Best first; fewer than asked for where seen items and filters leave fewer.
        source: "device" is the user tower, "popularity" the fallback without a known history.
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
        """The answer as JSON values."""
        return asdict(self)


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
        """The answer as JSON values."""
        return asdict(self)


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
