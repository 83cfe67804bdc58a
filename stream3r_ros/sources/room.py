"""The synthetic room as a source of frames."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stream3r_ros.sources.frame import SourceFrame
from stream3r_ros.synthetic import SyntheticSequence

DEFAULT_RATE_HZ = 15.0


@dataclass(frozen=True, eq=False)
class RoomWalk:
    """A walk through a synthetic room; the room is built when the first frame is read."""

    sequence: SyntheticSequence

    @staticmethod
    def of(seed: int, frames: int | None, image_hw: tuple[int, int], rate_hz: float) -> RoomWalk:
        """Plan a walk; raises ValueError for sizes and rates that make none."""
        return RoomWalk(SyntheticSequence(seed, frames, image_hw, rate_hz))

    @property
    def name(self) -> str:
        """Give the specification that opens this source."""
        return f'synthetic:{self.sequence.seed}'

    @property
    def rate_hz(self) -> float:
        """Give the frames a second."""
        return self.sequence.rate_hz

    @property
    def frame_count(self) -> int | None:
        """Give the number of frames, None for an endless walk."""
        return self.sequence.frames

    def __iter__(self) -> Iterator[SourceFrame]:
        """Render the frames from the first on."""
        for index, frame in enumerate(self.sequence):
            yield SourceFrame(
                index, frame.stamp_s, frame.image_rgb, frame.intrinsics, f'{index:06d}'
            )
