"""From estimates of the metric scale to the one that holds: when it begins, and when it ends."""

import math
from dataclasses import dataclass

from stream3r_ros.geometry.scale import LogScale

SOURCES = ('none', 'fixed', 'odometry', 'depth')
MEASURED = ('odometry', 'depth')
UNKNOWN, ESTIMATING, METRIC, LOST = 'unknown', 'estimating', 'metric', 'lost'
LEAST_COUNT = 5
"""Images, or places of a way, that a scale rests on at least."""
DISAGREEMENT = math.log(1.1)
AGAINST = 10
"""Estimates in a row that have to speak against the scale that holds."""
GATE = 3.0
FARTHEST = math.log(1e6)


@dataclass(frozen=True)
class ScaleRule:
    """What the parameters ask for; ``max_sigma`` is relative, of the factor."""

    source: str = 'none'
    value: float = 1.0
    min_distance_m: float = 0.3
    max_sigma: float = 0.1
    stale_after_s: float = 5.0

    @property
    def is_measured(self) -> bool:
        """Tell whether messages have to say what the scale is."""
        return self.source in MEASURED


@dataclass(frozen=True)
class Scale:
    """What a frame is published with: one factor for its pose, depth and cloud.

    ``sigma`` is relative: of the factor, or of the estimate so far while there is none; NaN
    without one. ``segment`` counts the changes of the factor within a stream.
    """

    factor: float = 1.0
    sigma: float = math.nan
    source: str = 'none'
    state: str = UNKNOWN
    segment: int = 0

    @property
    def known_sigma(self) -> float:
        """Give what the factor's error adds to lengths; 0 where the factor is nobody's estimate.

        A fixed factor is somebody's word, and without one lengths have no unit to be wrong in.
        """
        return self.sigma if self.segment else 0.0


class ScaleState:
    """Follow the scale of one stream.

    An estimate whose sigma is at most ``max_sigma`` becomes the scale and stays it, unchanged,
    so that what was published keeps its unit. AGAINST estimates in a row that differ by more than
    DISAGREEMENT, and by more than both sigmas explain, end it: they become the scale if they are
    sure, and otherwise it is lost. It is lost as well while nothing is heard for
    ``stale_after_s``, by the images' stamps. A lost scale goes on being used.
    """

    def __init__(self, rule: ScaleRule) -> None:
        self.begin(rule)

    def begin(self, rule: ScaleRule) -> None:
        """Begin a new stream, whose unit nobody knows."""
        self._source = rule.source
        self._fixed = rule.value if rule.source == 'fixed' else None
        self._held: LogScale | None = None
        self._newest: LogScale | None = None
        self._against = 0
        self._heard_ns: int | None = None
        self._is_stale = False
        self._segment = 0

    @property
    def scale(self) -> Scale:
        """Give what holds for the next frame."""
        if self._fixed is not None:
            return Scale(self._fixed, source=self._source, state=METRIC)
        known = self._held or self._newest
        return Scale(
            self._held.factor if self._held else 1.0,
            known.sigma if known else math.nan,
            self._source,
            self._state(),
            self._segment,
        )

    def _state(self) -> str:
        if self._held is None:
            is_heard = self._heard_ns is not None and not self._is_stale
            return ESTIMATING if is_heard else UNKNOWN
        is_lost = self._is_stale or self._against >= AGAINST
        return LOST if is_lost else METRIC

    def update(
        self, rule: ScaleRule, stamp_ns: int, is_heard: bool, newest: LogScale | None
    ) -> bool:
        """Take in what a frame told; say whether another scale holds from the next frame on.

        ``newest`` is the estimate if the frame changed it.
        """
        if is_heard:
            self._heard_ns = stamp_ns
        silence_ns = 0 if self._heard_ns is None else stamp_ns - self._heard_ns
        self._is_stale = silence_ns > rule.stale_after_s * 1e9
        if newest is None:
            return False
        self._newest = newest
        return self._begins_segment(rule, newest)

    def _begins_segment(self, rule: ScaleRule, newest: LogScale) -> bool:
        self._against = self._against + 1 if self._speaks_against(newest) else 0
        is_due = self._held is None or self._against >= AGAINST
        if not is_due or not _is_sure(newest, rule):
            return False
        self._held, self._against = newest, 0
        self._segment += 1
        return True

    def _speaks_against(self, newest: LogScale) -> bool:
        if self._held is None:
            return False
        sigma = math.hypot(self._held.sigma, newest.sigma)
        return abs(newest.value - self._held.value) > max(DISAGREEMENT, GATE * sigma)


def _is_sure(estimate: LogScale, rule: ScaleRule) -> bool:
    return (
        estimate.count >= LEAST_COUNT
        and estimate.sigma <= rule.max_sigma
        and abs(estimate.value) <= FARTHEST
    )
