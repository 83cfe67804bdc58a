"""Count the images that a camera sent and nobody received, by the gaps in their stamps."""

import statistics
from collections import deque

REMEMBERED = 30
LEARNT = 8
"""Gaps that are needed to know a camera's period."""
PAUSE_S = 3.0
"""A longer gap is a camera that paused."""
STEADY = 8
"""So many equal gaps in a row are a new rate, and not regular losses."""


class Arrivals:
    """Follow the stamps of one camera's images, in bounded memory; ``lost`` is the count so far.

    The period is the camera's own: the lower quartile of the last gaps, then the mean of all
    after division by whole periods, so that it holds while up to two thirds get lost. An image
    that is late was not lost, nor was one that came with a stamp from long before in the place of
    the one that is missing; repeated ones count for nothing.
    """

    def __init__(self) -> None:
        self.lost = 0
        self.begin()

    def begin(self) -> None:
        """Begin to listen, or begin again: what was not listened to is not lost."""
        self._last_ns: int | None = None
        self._gaps_s: deque[float] = deque(maxlen=REMEMBERED)
        self._holes: deque[list[int]] = deque(maxlen=REMEMBERED)  # from, to, missing
        self._misplaced = 0  # images since the last one in order whose stamps fill no hole

    def put(self, stamp_ns: int) -> int:
        """Take note of an image; give how many before it are missing, or -1 if it was."""
        change = self._change(stamp_ns)
        self.lost += change
        return change

    def _change(self, stamp_ns: int) -> int:
        last_ns, self._last_ns = self._last_ns, max(stamp_ns, self._last_ns or 0)
        if last_ns is None or stamp_ns <= last_ns:
            self._forget_a_jump(stamp_ns, last_ns)
            found = self._found_again(stamp_ns)
            self._misplaced += not found and stamp_ns != last_ns
            return found
        misplaced, self._misplaced = self._misplaced, 0
        gap_s = (stamp_ns - last_ns) / 1e9
        if gap_s > PAUSE_S:
            return 0
        missing = max(0, self._missing(gap_s) - misplaced)
        if missing:
            self._holes.append([last_ns, stamp_ns, missing])
        self._gaps_s.append(gap_s)
        self._notice_another_rate()
        return missing

    def _missing(self, gap_s: float) -> int:
        if len(self._gaps_s) < LEARNT:
            return 0
        periods = gap_s / self.period_s
        whole = round(periods)
        # Stamps waver; a gap that is no whole number of periods says nothing.
        return whole - 1 if whole >= 2 and abs(periods - whole) < 0.3 else 0

    @property
    def period_s(self) -> float:
        """Give the seconds between two images; NaN while they are not known."""
        if len(self._gaps_s) < 2:
            return float('nan')
        about_s = statistics.quantiles(self._gaps_s, n=4)[0]
        return sum(self._gaps_s) / sum(max(1, round(gap / about_s)) for gap in self._gaps_s)

    def _found_again(self, stamp_ns: int) -> int:
        for hole in self._holes:
            if hole[0] < stamp_ns < hole[1] and hole[2]:
                hole[2] -= 1
                return -1
        return 0

    def _forget_a_jump(self, stamp_ns: int, last_ns: int | None) -> None:
        """Go on from a stamp that went back by far."""
        if last_ns is not None and last_ns - stamp_ns > PAUSE_S * 1e9:
            self._last_ns = stamp_ns or None

    def _notice_another_rate(self) -> None:
        recent = list(self._gaps_s)[-STEADY:]
        if len(recent) == STEADY and max(recent) < 1.2 * min(recent):
            self._gaps_s = deque(recent, maxlen=REMEMBERED)
