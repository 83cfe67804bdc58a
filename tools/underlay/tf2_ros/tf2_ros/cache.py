"""What is known of one frame: its pose in its parent, over a bounded stretch of time."""

import bisect
from dataclasses import dataclass, field

import numpy as np
from pytransform3d.transformations import pq_slerp

from tf2_ros.exceptions import ExtrapolationException


@dataclass(frozen=True)
class Sample:
    """A frame's pose in its parent at one time; `pq` is x y z and the quaternion w x y z."""

    stamp_ns: int
    parent: str
    pq: np.ndarray


@dataclass
class FrameCache:
    """Samples in order of time, none older than `span_ns` before the newest."""

    span_ns: int
    static: bool = False
    samples: list[Sample] = field(default_factory=list)

    def insert(self, sample: Sample) -> None:
        """Add a sample, or drop it if it is too old or its time is already there."""
        if self.static:
            self.samples = [sample]
            return
        if self.samples and sample.stamp_ns < self.newest_ns - self.span_ns:
            return
        place = self._place(sample.stamp_ns)
        if place < len(self.samples) and self.samples[place].stamp_ns == sample.stamp_ns:
            return
        self.samples.insert(place, sample)
        self._forget()

    def clear(self) -> None:
        """Forget all but a static sample."""
        if not self.static:
            self.samples = []

    def at(self, stamp_ns: int | None) -> Sample:
        """Interpolate at a time, None meaning the newest, or raise ExtrapolationException."""
        if not self.samples:
            raise ExtrapolationException('Nothing is known since the buffer was cleared')
        if self.static or stamp_ns is None:
            return self.samples[-1]
        self._check_covered(stamp_ns)
        after = self._place(stamp_ns)
        if self.samples[after].stamp_ns == stamp_ns:
            return self.samples[after]
        return _between(self.samples[after - 1], self.samples[after], stamp_ns)

    @property
    def oldest_ns(self) -> int:
        return self.samples[0].stamp_ns

    @property
    def newest_ns(self) -> int:
        return self.samples[-1].stamp_ns

    def _place(self, stamp_ns: int) -> int:
        return bisect.bisect_left(self.samples, stamp_ns, key=lambda sample: sample.stamp_ns)

    def _forget(self) -> None:
        del self.samples[: self._place(self.newest_ns - self.span_ns)]

    def _check_covered(self, stamp_ns: int) -> None:
        asked = f'Requested time {_seconds(stamp_ns)}'
        if stamp_ns < self.oldest_ns:
            raise ExtrapolationException(
                'Lookup would require extrapolation into the past. '
                f'{asked} but the earliest data is at time {_seconds(self.oldest_ns)}'
            )
        if stamp_ns > self.newest_ns:
            raise ExtrapolationException(
                'Lookup would require extrapolation into the future. '
                f'{asked} but the latest data is at time {_seconds(self.newest_ns)}'
            )


def _between(before: Sample, after: Sample, stamp_ns: int) -> Sample:
    if before.parent != after.parent:
        return before
    share = (stamp_ns - before.stamp_ns) / (after.stamp_ns - before.stamp_ns)
    return Sample(stamp_ns, before.parent, pq_slerp(before.pq, after.pq, share))


def _seconds(stamp_ns: int) -> str:
    return f'{stamp_ns // 10**9}.{stamp_ns % 10**9:09d}'
