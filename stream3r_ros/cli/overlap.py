"""Stages of a run that work at the same time, in order and with bounded memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from queue import Empty, Full, Queue
from types import TracebackType
from typing import Any, TypeVar

T = TypeVar('T')

SECONDS_BETWEEN_LOOKS = 0.1
SECONDS_FOR_A_READER = 2.0


@dataclass(frozen=True)
class _Failure:
    error: Exception


class _End:
    """Nothing comes after this."""


class Overlap:
    """Threads that work ahead of the caller (`ahead`) and behind it (`behind`).

    Each is at most `depth` items away from its neighbour. Items keep their order, and so do
    errors: one that a thread ahead meets is raised where its item would have come, one that a
    thread behind meets by the next call or on leaving. Leaving without an error, or with an
    Exception, waits for what is behind; leaving by KeyboardInterrupt or SystemExit drops it.
    """

    def __init__(self, depth: int = 4) -> None:
        self.depth = depth
        self._stopped = threading.Event()
        self._readers: list[threading.Thread] = []
        self._writers: list[tuple[Queue[Any], threading.Thread]] = []
        self._failure: _Failure | None = None

    def __enter__(self) -> Overlap:
        """Begin without any thread."""
        return self

    def ahead(self, items: Iterable[T]) -> Iterator[T]:
        """Give the items, which a thread takes from now on."""
        queue: Queue[Any] = Queue(self.depth)
        self._readers.append(_started(self._take, items, queue))
        return self._items(queue)

    def behind(self, work: Callable[[T], None]) -> Callable[[T], None]:
        """Give a function that has a thread do `work`; it raises the error of earlier work."""
        queue: Queue[Any] = Queue(self.depth)
        self._writers.append((queue, _started(self._work, work, queue)))

        def submit(item: T) -> None:
            self._raise_failure()
            self._put(queue, item)

        return submit

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finish or drop what is behind, and end all threads."""
        try:
            if error is None or isinstance(error, Exception):
                for queue, thread in self._writers:
                    self._put(queue, _End())
                    thread.join()
        finally:
            self._stopped.set()
            for _, thread in self._writers:
                thread.join()
            # A reader may be in the middle of a slow frame; nothing of it is waited for.
            for thread in self._readers:
                thread.join(SECONDS_FOR_A_READER)
        # What is behind belongs to an earlier frame than what has just been raised.
        if error is None or isinstance(error, Exception):
            self._raise_failure()

    def _raise_failure(self) -> None:
        if self._failure:
            raise self._failure.error

    def _take(self, items: Iterable[Any], queue: Queue[Any]) -> None:
        try:
            for item in items:
                if not self._put(queue, item):
                    return
            self._put(queue, _End())
        except Exception as error:  # raised by _items, in the thread that asked
            self._put(queue, _Failure(error))

    def _work(self, work: Callable[[Any], None], queue: Queue[Any]) -> None:
        for item in self._items(queue):
            if self._failure:
                continue  # empty the queue, so that nobody waits for room in it
            try:
                work(item)
            except Exception as error:  # raised by submit or on leaving
                self._failure = _Failure(error)

    def _items(self, queue: Queue[Any]) -> Iterator[Any]:
        while not self._stopped.is_set():
            try:
                item = queue.get(timeout=SECONDS_BETWEEN_LOOKS)
            except Empty:
                continue
            if isinstance(item, _Failure):
                raise item.error
            if isinstance(item, _End):
                return
            yield item

    def _put(self, queue: Queue[Any], item: Any) -> bool:
        """Wait for room; tell whether it came before the end."""
        while not self._stopped.is_set():
            try:
                queue.put(item, timeout=SECONDS_BETWEEN_LOOKS)
                return True
            except Full:
                continue
        return False


def _started(target: Callable[..., None], *arguments: Any) -> threading.Thread:
    thread = threading.Thread(target=target, args=arguments, daemon=True)
    thread.start()
    return thread
