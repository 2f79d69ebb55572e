"""Fallback to a server: the device answers first, the server may improve within the deadline.

    client = FallbackClient(FallbackSettings(url="https://recs.example.com"))
    answer = improve(client, engine, history, 10, answer, Deadline.after_ms(150))

Off until a URL is set; what left the device stands in `client.ledger`. See docs/fallback.md.
"""

from pocketrec.fallback.breaker import Breaker, BreakerSettings
from pocketrec.fallback.client import FallbackClient, NoAnswer
from pocketrec.fallback.deadline import Deadline
from pocketrec.fallback.faults import ServerFault
from pocketrec.fallback.improve import improve
from pocketrec.fallback.ledger import Ledger, LedgerEntry
from pocketrec.fallback.settings import Address, FallbackSettings

__all__ = [
    "Address",
    "Breaker",
    "BreakerSettings",
    "Deadline",
    "FallbackClient",
    "FallbackSettings",
    "Ledger",
    "LedgerEntry",
    "NoAnswer",
    "ServerFault",
    "improve",
]
