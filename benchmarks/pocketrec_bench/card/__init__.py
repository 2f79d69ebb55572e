"""The benchmark card: what one build costs on one device."""

from pocketrec_bench.card.build import this_build
from pocketrec_bench.card.document import Build, Card, card_document, card_from_json, card_to_json
from pocketrec_bench.card.files import CARD_NAME, read_card, write_card, write_card_json
from pocketrec_bench.card.html import render_card
from pocketrec_bench.card.repeat import repeat_command

__all__ = [
    "CARD_NAME",
    "Build",
    "Card",
    "card_document",
    "card_from_json",
    "card_to_json",
    "read_card",
    "render_card",
    "repeat_command",
    "this_build",
    "write_card",
    "write_card_json",
]
