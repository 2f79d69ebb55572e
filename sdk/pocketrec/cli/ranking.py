"""How an answer is printed: as JSON, or as a table with where it came from."""

from collections.abc import Sequence

from pocketrec.cli.output import emit, emit_json, printable, say, table
from pocketrec_runtime import Recommendation, Scores, TextScores

_SHOWN_CHARACTERS = 60


def emit_answer(command: str, answer: Recommendation | Scores, *, as_json: bool) -> None:
    """Print ranked or scored items in their order; unknown ids are named."""
    if as_json:
        emit_json(command, answer.as_dict())
        return
    ruled = any(item.placed_by is not None for item in answer.items)
    rows = [
        [
            str(place),
            item.item_id,
            f"{item.score:.4f}",
            f"{item.probability:.4f}",
            *([", ".join(item.placed_by or ())] if ruled else []),
            "" if item.title is None else item.title,
        ]
        for place, item in enumerate(answer.items, start=1)
    ]
    rules = ["placed by"] if ruled else []
    emit(table(["#", "item", "score", "probability", *rules, "title"], rows))
    say(f"source: {answer.source} ({answer.reason}); model {answer.model[:12]}")
    unknown = list(answer.unknown)
    if isinstance(answer, Scores):
        unknown += answer.unknown_candidates
    if unknown:
        say(f"not in the catalogue, skipped: {listed(unknown)}")


def emit_text_scores(
    answer: TextScores, names: list[str], texts: list[str], *, as_json: bool
) -> None:
    """Print texts with their scores, in the order given."""
    if as_json:
        document = answer.as_dict()
        for name, item in zip(names, document["items"], strict=True):
            item["item_id"] = name
        emit_json("score_texts", document)
        return
    rows = [
        [name, f"{item.score:.4f}", f"{item.probability:.4f}", text[:_SHOWN_CHARACTERS]]
        for name, item, text in zip(names, answer.items, texts, strict=True)
    ]
    emit(table(["item", "score", "probability", "text"], rows))
    say(f"source: {answer.source} ({answer.reason}); model {answer.model[:12]}")
    if answer.unknown:
        say(f"not in the catalogue and without text, skipped: {listed(answer.unknown)}")


def listed(ids: Sequence[str], limit: int = 10) -> str:
    """The first ids, printable, and how many more there are."""
    more = f" and {len(ids) - limit} more" if len(ids) > limit else ""
    return ", ".join(map(printable, ids[:limit])) + more
