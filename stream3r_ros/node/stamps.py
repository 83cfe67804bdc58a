"""Tell a message that is late, or whose stamp is wrong, from time that has gone elsewhere.

One message decides nothing: two images that the network swapped, or one whose stamp a driver left
at 0, must not end a stream. Only when the next message follows the new time has time changed.
"""

import math
from dataclasses import dataclass
from typing import Literal

LATE_IN_A_ROW = 5
"""So many late messages in rising order and time has gone back by little, as in a short loop."""
LATE_IN_ALL = 12
"""So many since the last good one, in any order, as in a loop of three images."""
MOST_AHEAD_S = 10.0
AHEAD_RATIO = 10.0
"""Stamps may run ahead of the steady clock by so much, as those of a bag that is played fast."""

Kind = Literal['next', 'late', 'jump', 'turn']


@dataclass(frozen=True)
class Judgement:
    """What a stamp is: the next one; late, so to be refused; a jump that nothing has confirmed;
    or a turn, by which a jump is confirmed. ``sentence`` says it of an image, '' of a next one.
    """

    kind: Kind
    sentence: str = ''
    is_back: bool = False


NEXT = Judgement('next')


class StampOrder:
    """Follow the stamps of one stream; nothing is decided by one message.

    Stamps are nanoseconds, arrivals seconds of the steady clock. ``accept`` says which stamp was
    taken last.
    """

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Forget everything: the next stamp is taken as it is."""
        self._last: tuple[int, float] | None = None
        self._elsewhere: int | None = None  # the last stamp that did not follow the last accepted
        self._in_a_row = self._in_all = 0

    def accept(self, stamp_ns: int, arrived_s: float) -> None:
        """Go on from a stamp."""
        self._last = stamp_ns, arrived_s
        self._elsewhere, self._in_a_row, self._in_all = None, 0, 0

    def judge(self, stamp_ns: int, arrived_s: float, tolerance_s: float) -> Judgement:
        """Judge a stamp beside the last one; one that is older by the tolerance is a jump."""
        if self._last is None:
            return NEXT
        last_ns, last_arrived_s = self._last
        ahead_s = (stamp_ns - last_ns) / 1e9
        most_s = max(MOST_AHEAD_S, AHEAD_RATIO * (arrived_s - last_arrived_s))
        if 0 < ahead_s <= most_s:
            return NEXT
        if stamp_ns == 0:
            return Judgement('late', 'its stamp is 0: the driver does not set header.stamp')
        if ahead_s == 0:
            return Judgement('late', 'its stamp is that of the image before')
        return self._judge_elsewhere(stamp_ns, ahead_s, tolerance_s)

    def _judge_elsewhere(self, stamp_ns: int, ahead_s: float, tolerance_s: float) -> Judgement:
        assert self._last is not None
        before, self._elsewhere = self._elsewhere, stamp_ns
        follows = before is not None and 0 < stamp_ns - before <= abs(stamp_ns - self._last[0])
        self._in_a_row = self._in_a_row + 1 if follows else 1
        self._in_all += 1
        is_late = -tolerance_s <= ahead_s < 0
        if self._in_a_row >= (LATE_IN_A_ROW if is_late else 2) or self._in_all >= LATE_IN_ALL:
            return Judgement('turn', _jump(ahead_s), ahead_s < 0)
        if is_late:
            return Judgement('late', f'it is late: {-ahead_s:.3f} s older than the image before')
        return Judgement('jump', _jump(ahead_s), ahead_s < 0)


def _jump(ahead_s: float) -> str:
    way = 'back' if ahead_s < 0 else 'on'
    return f'time went {way} by {math.fabs(ahead_s):.3f} s'
