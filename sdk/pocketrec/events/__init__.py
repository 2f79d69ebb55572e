"""What users did, kept in one durable file: recorded, listed, erased. See docs/sdk.md."""

from pocketrec.events.event import Event
from pocketrec.events.settings import EventStoreSettings
from pocketrec.events.store import EventStore, Revision

__all__ = ["Event", "EventStore", "EventStoreSettings", "Revision"]
