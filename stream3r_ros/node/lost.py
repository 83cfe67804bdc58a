"""Decide from confidence and poses when a stream is lost."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class LostRule:
    """When a stream counts as lost, and when that asks for a new one.

    ``confidence``: a frame whose mean confidence is under it is a bad one; 0 means never lost,
    whatever happens. ``frames``: so many bad frames in a row and the stream is lost, so many good
    ones and it is found again. ``reset_after_s``: seconds in the lost state, by the images'
    stamps, after which a new stream is asked for; 0 is never.
    """

    confidence: float = 0.0
    frames: int = 5
    reset_after_s: float = 0.0


@dataclass(frozen=True)
class LostState:
    """What a frame made of it; ``reset`` is true on one frame of a lost stretch at most."""

    lost: bool = False
    reset: bool = False


class LostDetector:
    """Follow one stream.

    The way back is as long as the way in (LostRule.frames): one lucky frame among bad ones gives
    no TF to a robot, and a confidence that wavers around the threshold does not flicker. The
    threshold itself has no second value, since networks differ in their scale.
    """

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Forget everything: a new stream begins and is not lost."""
        self._lost_since_ns: int | None = None
        self._in_a_row = 0
        self._has_asked = False

    def update(
        self, rule: LostRule, stamp_ns: int, mean_confidence: float | None, pose: np.ndarray
    ) -> LostState:
        """Take in a frame. A pose or a confidence that is not finite makes it a bad one.

        One whose confidence was not computed (None) speaks neither for nor against the stream.
        """
        if rule.confidence <= 0:
            self.begin()
            return LostState()
        is_finite = bool(np.isfinite(pose).all())
        if mean_confidence is not None or not is_finite:
            # A NaN is not at least anything.
            good = is_finite and mean_confidence >= rule.confidence
            self._count(good, rule, stamp_ns)
        return LostState(self._lost_since_ns is not None, self._asks_for_reset(rule, stamp_ns))

    def _count(self, good: bool, rule: LostRule, stamp_ns: int) -> None:
        """Count frames in a row that speak against the present state; enough of them turn it."""
        is_lost = self._lost_since_ns is not None
        self._in_a_row = self._in_a_row + 1 if good == is_lost else 0
        if self._in_a_row < rule.frames:
            return
        self._in_a_row = 0
        self._lost_since_ns = None if is_lost else stamp_ns
        self._has_asked = False

    def _asks_for_reset(self, rule: LostRule, stamp_ns: int) -> bool:
        if self._lost_since_ns is None or self._has_asked or rule.reset_after_s <= 0:
            return False
        self._lost_since_ns = min(self._lost_since_ns, stamp_ns)  # time may have gone back
        self._has_asked = stamp_ns - self._lost_since_ns >= rule.reset_after_s * 1e9
        return self._has_asked
