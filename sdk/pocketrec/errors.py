"""Errors of the SDK; they hang in the tree of `pocketrec_runtime.errors`.

PocketrecError
  EventStoreError            the store of events cannot do what was asked
    EventStoreBusyError      another process held it for longer than the timeout
    EventStoreFullError      the disk is full, or the file may not grow
    EventStoreReadOnlyError  its folder or file cannot be written
    EventStoreKeyError       the key is missing, or does not open it
    EventStoreVersionError   a newer pocketrec made it
"""

from pocketrec_runtime.errors import PocketrecError


class EventStoreError(PocketrecError):
    """The store of events cannot do what was asked."""


class EventStoreBusyError(EventStoreError):
    """Another process held the store for longer than the timeout; nothing was changed."""


class EventStoreFullError(EventStoreError):
    """The disk is full, or the file may not grow; nothing was changed."""


class EventStoreReadOnlyError(EventStoreError):
    """The store's folder or file cannot be written."""


class EventStoreKeyError(EventStoreError):
    """The key is missing, not wanted, or does not open the store."""


class EventStoreVersionError(EventStoreError):
    """A newer pocketrec made the store."""
