"""Between the subscription and the inference thread: the newest item, or all of a few."""

import threading
from collections import deque
from typing import Generic, TypeVar

Item = TypeVar('Item')


class Mailbox(Generic[Item]):
    """Hold at most ``capacity`` items; the oldest gives way and is counted.

    A capacity of 1 is latest-wins.
    """

    def __init__(self, capacity: int) -> None:
        self._items: deque[Item] = deque()
        self._capacity = capacity
        self._changed = threading.Condition()
        self._closed = False

    def put(self, item: Item) -> int:
        """Add an item; return how many older ones were dropped for it (0 or 1)."""
        with self._changed:
            dropped = len(self._items) >= self._capacity
            if dropped:
                self._items.popleft()
            self._items.append(item)
            self._changed.notify()
        return int(dropped)

    def take(self) -> Item | None:
        """Wait for the oldest item; None once the mailbox is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._closed)
            return None if self._closed else self._items.popleft()

    def clear(self) -> int:
        """Drop all items; return how many there were."""
        with self._changed:
            dropped = len(self._items)
            self._items.clear()
        return dropped

    def close(self) -> None:
        """Wake whoever waits, for good."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
