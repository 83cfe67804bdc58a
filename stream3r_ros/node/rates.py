"""How many a second, over the last seconds, of what comes one by one or in groups."""

import threading
import time
from collections import deque
from collections.abc import Callable

SPAN_S = 5.0
MERGED_S = 0.05
"""What comes within it counts as one moment: a group that is answered together."""
LONGEST_S = 120.0
"""Moments that are older are forgotten, however rare they are."""


class Recent:
    """Count what happened lately; for any thread, at most LONGEST_S / MERGED_S moments."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._moments: deque[tuple[float, int]] = deque()
        self._lock = threading.Lock()

    def add(self, count: int = 1) -> None:
        """Something happened now."""
        now = self._clock()
        with self._lock:
            if self._moments and now - self._moments[-1][0] < MERGED_S:
                at, before = self._moments.pop()
                self._moments.append((at, before + count))
            else:
                self._moments.append((now, count))
            while now - self._moments[0][0] > LONGEST_S:
                self._moments.popleft()

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._moments.clear()

    def count(self, span_s: float) -> int:
        """Give how often it happened within the last ``span_s``."""
        since, total = self._clock() - span_s, 0
        with self._lock:
            for at, count in reversed(self._moments):
                if at < since:
                    break
                total += count
        return total

    def rate_hz(self) -> float:
        """Give how often a second; over more than SPAN_S where moments are farther apart.

        Between moments the rate stays, and falls as the next one keeps away; 0.0 after a while.
        """
        now, newest = self._clock(), []
        with self._lock:
            for moment in reversed(self._moments):
                if now - moment[0] > SPAN_S and len(newest) >= 3:
                    break
                newest.append(moment)
        if len(newest) < 2:
            return self.count(SPAN_S) / SPAN_S
        moments = newest[::-1]
        first, last = moments[0][0], moments[-1][0]
        interval = (last - first) / (len(moments) - 1)
        if now - last > max(SPAN_S, 3 * interval):
            return 0.0
        counted = sum(count for _, count in moments[1:])
        return counted / (last - first + max(0.0, now - last - interval))
