"""Between the subscriptions and the inference thread: what waits for its turn, bounded."""

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar('Item')
SYNCHRONISED_CAPACITY = 8
"""Images a camera may be ahead of the others in a synchronised mailbox that keeps the newest."""


class Mailbox(Generic[Item]):
    """Hold at most ``capacity`` items of each camera; the oldest gives way and is counted.

    A capacity of 1 is latest-wins. ``dropped`` is told the camera's number and how many of its
    items went unseen. Items leave one by one, the cameras in turn.
    """

    def __init__(
        self, capacity: int, dropped: Callable[[int, int], None], cameras: int = 1
    ) -> None:
        self._queues: list[deque[Item]] = [deque() for _ in range(cameras)]
        self._capacity = capacity
        self._dropped = dropped
        self._changed = threading.Condition()
        self._closed = False
        self._turn = 0
        self._found: list[Item] = []

    def put(self, item: Item, camera: int = 0) -> None:
        """Add an item of a camera; the oldest one is dropped where it is too many.

        Once the mailbox is closed nobody will take the item, so that it is dropped itself.
        """
        with self._changed:
            queue = self._queues[camera]
            queue.append(item)
            self._shorten(camera, 0 if self._closed else self._capacity)
            self._changed.notify()

    @property
    def is_closed(self) -> bool:
        """Tell whether nothing more can be taken."""
        return self._closed

    def take(self, timeout_s: float | None = None) -> list[Item]:
        """Wait for the items whose turn it is, one here.

        None once the mailbox is closed, or once ``timeout_s`` has passed.
        """
        with self._changed:
            self._changed.wait_for(self._find, timeout_s)
            found, self._found = self._found, []
            return found

    def _find(self) -> bool:
        """Look for the next items; nothing more is to be waited for once it is closed."""
        self._found = [] if self._closed else self._next()
        return bool(self._found) or self._closed

    def waiting(self, camera: int = 0) -> int:
        """Give how many items of a camera wait."""
        return len(self._queues[camera])

    def clear(self) -> None:
        """Drop all items."""
        with self._changed:
            for camera in range(len(self._queues)):
                self._shorten(camera, 0)

    def close(self) -> None:
        """Wake whoever waits, for good."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _shorten(self, camera: int, length: int) -> None:
        queue = self._queues[camera]
        surplus = max(0, len(queue) - length)
        for _ in range(surplus):
            queue.popleft()
        if surplus:
            self._dropped(camera, surplus)

    def _next(self) -> list[Item]:
        count = len(self._queues)
        for camera in ((self._turn + offset) % count for offset in range(count)):
            if self._queues[camera]:
                self._turn = (camera + 1) % count
                return [self._queues[camera].popleft()]
        return []


class SynchronisedMailbox(Mailbox[Item]):
    """Hand out one item of every camera at once, those whose stamps agree.

    With ``keep_all`` the oldest such set goes first, otherwise the newest; what is older than a
    set that has left can belong to none and is dropped.
    """

    def __init__(
        self,
        capacity: int,
        dropped: Callable[[int, int], None],
        cameras: int,
        stamp_ns: Callable[[Item], int],
        tolerance_ns: int,
    ) -> None:
        super().__init__(max(capacity, SYNCHRONISED_CAPACITY), dropped, cameras)
        self._keep_all = capacity > 1
        self._stamp_ns = stamp_ns
        self._tolerance_ns = tolerance_ns

    def _next(self) -> list[Item]:
        first = list(range(len(self._queues[0])))
        for index in first if self._keep_all else reversed(first):
            places = self._partners(self._stamp_ns(self._queues[0][index]))
            if places is not None:
                return [self._remove(camera, place) for camera, place in enumerate(places)]
        return []

    def _partners(self, stamp_ns: int) -> list[int] | None:
        """Find in each queue the place of the item nearest to a stamp; None if one is missing."""
        places = []
        for queue in self._queues:
            distances = [abs(self._stamp_ns(item) - stamp_ns) for item in queue]
            if not distances or min(distances) > self._tolerance_ns:
                return None
            places.append(distances.index(min(distances)))
        return places

    def _remove(self, camera: int, place: int) -> Item:
        queue = self._queues[camera]
        item = queue[place]
        self._shorten(camera, len(queue) - place)
        queue.popleft()
        return item
