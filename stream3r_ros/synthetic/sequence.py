"""Walk a camera through a synthetic room, frame by frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from stream3r_ros.synthetic.path import CameraPath
from stream3r_ros.synthetic.room import SyntheticRoom

FOV_X_RAD = float(np.radians(72.0))


@dataclass(frozen=True, eq=False)
class SyntheticFrame:
    """A picture with everything that is true about it.

    `image_rgb` (h, w, 3) uint8; `depth_m` (h, w) float32 along the optical axis;
    `world_from_camera` (4, 4) in optical axes; `intrinsics` (3, 3) with integer pixel centres;
    `stamp_s` seconds since the first frame.
    """

    image_rgb: np.ndarray
    depth_m: np.ndarray
    world_from_camera: np.ndarray
    intrinsics: np.ndarray
    stamp_s: float


def pinhole(image_hw: tuple[int, int], fov_x_rad: float = FOV_X_RAD) -> np.ndarray:
    """Make (3, 3) intrinsics of square pixels with the principal point in the image's middle."""
    height, width = image_hw
    focal = width / 2 / np.tan(fov_x_rad / 2)
    return np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]])


@dataclass(frozen=True, eq=False)
class SyntheticSequence:
    """Iterate the frames of a camera's walk; every iteration starts again and is the same.

    `frames` None goes on for ever: the walk is a closed loop. The room is built when the first
    frame is asked for. `supersample` n takes n x n rays a pixel for smoother edges.
    """

    seed: int
    frames: int | None = None
    image_hw: tuple[int, int] = (480, 640)
    rate_hz: float = 15.0
    fov_x_rad: float = FOV_X_RAD
    supersample: int = 1
    texels_per_m: float = 128.0

    def __post_init__(self) -> None:
        """Refuse sizes and rates that make no sequence."""
        if min(self.image_hw) < 1:
            raise ValueError(f'image_hw is {self.image_hw}, expected two sides of at least 1')
        if not self.rate_hz > 0:
            raise ValueError(f'rate_hz is {self.rate_hz}, expected more than 0')
        if self.frames is not None and self.frames < 0:
            raise ValueError(f'frames is {self.frames}, expected 0 or more, or None')

    @cached_property
    def room(self) -> SyntheticRoom:
        """Build the room."""
        return SyntheticRoom.from_seed(self.seed, self.texels_per_m)

    @cached_property
    def path(self) -> CameraPath:
        """Draw the camera's way."""
        return CameraPath.from_seed(self.room, self.seed)

    def __iter__(self) -> Iterator[SyntheticFrame]:
        """Render frame after frame."""
        index = 0
        while self.frames is None or index < self.frames:
            yield self.frame(index)
            index += 1

    def frame(self, index: int) -> SyntheticFrame:
        """Render the frame of one index."""
        stamp_s = index / self.rate_hz
        pose, intrinsics = self.path.pose(stamp_s), pinhole(self.image_hw, self.fov_x_rad)
        picture = self.room.render(pose, intrinsics, self.image_hw, self.supersample)
        return SyntheticFrame(picture.image_rgb, picture.depth_m, pose, intrinsics, stamp_s)
