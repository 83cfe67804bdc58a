"""The synthetic room as a source of frames."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from stream3r_ros.sources.frame import SourceFrame
from stream3r_ros.sources.left_out import LeftOut
from stream3r_ros.synthetic import CameraPath, SyntheticSequence

DEFAULT_RATE_HZ = 15.0


@dataclass(frozen=True, eq=False)
class OtherPath(SyntheticSequence):
    """A walk through a room on the path of another seed."""

    path_seed: int = 0

    @cached_property
    def path(self) -> CameraPath:
        """Draw the camera's way."""
        return CameraPath.from_seed(self.room, self.path_seed)


@dataclass(frozen=True, eq=False)
class RoomWalk:
    """A walk through a synthetic room; the room is built when the first frame is read."""

    sequence: SyntheticSequence
    left_out: tuple[LeftOut, ...] = ()

    @staticmethod
    def of(
        seed: int,
        frames: int | None,
        image_hw: tuple[int, int],
        rate_hz: float,
        path_seed: int | None = None,
    ) -> RoomWalk:
        """Plan a walk, on the room's own path unless a path is named.

        Raises ValueError for sizes and rates that make none.
        """
        if path_seed is None:
            return RoomWalk(SyntheticSequence(seed, frames, image_hw, rate_hz))
        return RoomWalk(OtherPath(seed, frames, image_hw, rate_hz, path_seed=path_seed))

    @property
    def name(self) -> str:
        """Give the specification that opens this source."""
        path = f'/{self.sequence.path_seed}' if isinstance(self.sequence, OtherPath) else ''
        return f'synthetic:{self.sequence.seed}{path}'

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
                index,
                frame.stamp_s,
                frame.image_rgb,
                frame.intrinsics,
                f'{index:06d}',
                depth_m=frame.depth_m,
                world_from_camera=frame.world_from_camera,
            )
