"""What is known of one frame: its pose in its parent, over a bounded stretch of time."""

import bisect
from dataclasses import dataclass, field

from tf2_ros.exceptions import ExtrapolationException
from tf2_ros.motion import Motion, between


@dataclass(frozen=True)
class Sample:
    """A frame's pose in its parent at one time."""

    stamp_ns: int
    parent: str
    motion: Motion

    def equals(self, other: 'Sample') -> bool:
        return (self.stamp_ns, self.parent) == (
            other.stamp_ns,
            other.parent,
        ) and self.motion.equals(other.motion)


@dataclass
class FrameCache:
    """Samples in order of time, of equal times the newer one last.

    As in tf2 what is older than `span_ns` before the newest goes with the next insertion, before
    that is looked at: a sample that is far ahead leaves the others in place until one more comes.
    """

    span_ns: int
    static: bool = False
    samples: list[Sample] = field(default_factory=list)

    def insert(self, sample: Sample) -> bool:
        """Add a sample unless the very same is there; tell whether it was not too old."""
        if self.static:
            self.samples = [sample]
            return True
        newest_ns = self.newest_ns
        del self.samples[: self._before(newest_ns - self.span_ns)]
        if self.samples and sample.stamp_ns < newest_ns - self.span_ns:
            return False
        place = self._after(sample.stamp_ns)
        same_time = self.samples[self._before(sample.stamp_ns) : place]
        if not any(sample.equals(other) for other in same_time):
            self.samples.insert(place, sample)
        return True

    def clear(self) -> None:
        """Forget all but a static sample."""
        if not self.static:
            self.samples = []

    def at(self, stamp_ns: int) -> Sample:
        """Interpolate at a time, 0 meaning the newest, or raise ExtrapolationException."""
        if not self.samples:
            raise ExtrapolationException('')  # as in tf2, which has no words for it
        if self.static or stamp_ns == 0:
            return self.samples[-1]
        self._check_covered(stamp_ns)
        if stamp_ns == self.samples[-1].stamp_ns:
            return self.samples[-1]
        if stamp_ns == self.samples[0].stamp_ns:
            return self.samples[0]
        place = self._after(stamp_ns)
        return _between(self.samples[place - 1], self.samples[place], stamp_ns)

    @property
    def oldest_ns(self) -> int:
        return 0 if self.static or not self.samples else self.samples[0].stamp_ns

    @property
    def newest_ns(self) -> int:
        return 0 if self.static or not self.samples else self.samples[-1].stamp_ns

    def _before(self, stamp_ns: int) -> int:
        return bisect.bisect_left(self.samples, stamp_ns, key=lambda sample: sample.stamp_ns)

    def _after(self, stamp_ns: int) -> int:
        return bisect.bisect_right(self.samples, stamp_ns, key=lambda sample: sample.stamp_ns)

    def _check_covered(self, stamp_ns: int) -> None:
        asked, oldest, newest = map(seconds, (stamp_ns, self.oldest_ns, self.newest_ns))
        prefix = 'Lookup would require extrapolation'
        if len(self.samples) == 1 and stamp_ns != self.newest_ns:
            raise ExtrapolationException(
                f'{prefix} at time {asked}, but only time {newest} is in the buffer'
            )
        if stamp_ns > self.newest_ns:
            raise ExtrapolationException(
                f'{prefix} into the future.  Requested time {asked} but the latest data is at '
                f'time {newest}'
            )
        if stamp_ns < self.oldest_ns:
            raise ExtrapolationException(
                f'{prefix} into the past.  Requested time {asked} but the earliest data is at '
                f'time {oldest}'
            )


def seconds(stamp_ns: int) -> str:
    return f'{stamp_ns / 10**9:.6f}'


def _between(before: Sample, after: Sample, stamp_ns: int) -> Sample:
    if before.parent != after.parent:
        return before
    share = (stamp_ns - before.stamp_ns) / (after.stamp_ns - before.stamp_ns)
    return Sample(stamp_ns, before.parent, between(before.motion, after.motion, share))
