"""What became of every image: received = processed + dropped + refused + waiting."""

import threading
from dataclasses import dataclass


@dataclass(frozen=True)
class Account:
    """The counts of one camera at one instant."""

    received: int = 0
    processed: int = 0
    dropped: int = 0
    refused: int = 0

    @property
    def waiting(self) -> int:
        """Images that are in a queue, in a gathering or under way."""
        return self.received - self.processed - self.dropped - self.refused


class Counters:
    """Counts of one camera, changed by several threads."""

    def __init__(self) -> None:
        self._counts = {'received': 0, 'processed': 0, 'dropped': 0, 'refused': 0}
        self._lock = threading.Lock()

    def count(self, **changes: int) -> None:
        """Add to several counters at once."""
        with self._lock:
            for name, change in changes.items():
                self._counts[name] += change

    def snapshot(self) -> Account:
        """Read all counters at one instant."""
        with self._lock:
            return Account(**self._counts)
