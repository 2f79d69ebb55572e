"""The benchmark card: what one build costs on one device."""

from pocketrec_bench.card.build import this_build
from pocketrec_bench.card.document import Build, Card, card_document, card_from_json, card_to_json
from pocketrec_bench.card.files import CARD_NAME, read_card, write_card, write_card_json
from pocketrec_bench.card.html import render_card

__all__ = [
    "CARD_NAME",
    "Build",
    "Card",
    "card_document",
    "card_from_json",
    "card_to_json",
    "read_card",
    "render_card",
    "this_build",
    "write_card",
    "write_card_json",
]
