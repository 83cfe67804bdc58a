"""What is known of one frame that is shown."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ROS_FROM_OPTICAL = np.array([
    [0.0, 0.0, 1.0, 0.0],
    [-1.0, 0.0, 0.0, 0.0],
    [0.0, -1.0, 0.0, 0.0],
    [0.0, 0.0, 0.0, 1.0],
])  # fmt: skip
"""A world with z up, x along the first view, from one with the first camera's optical axes."""

DEFAULT_FOV_Y_RAD = 0.9


@dataclass(frozen=True, eq=False)
class Camera:
    """A camera in a world with z up: pose of its optical frame, view, and a picture or none."""

    world_from_camera: np.ndarray
    fov_y_rad: float
    aspect: float
    image_rgb: np.ndarray | None = None

    @property
    def position(self) -> np.ndarray:
        """Give the place (3,) in the world."""
        return self.world_from_camera[:3, 3]


@dataclass(frozen=True, eq=False)
class ViewedFrame:
    """One frame: points (h, w, 3) in the camera's optical frame, NaN where there is none.

    `colours` is (h, w, 3) uint8 and `confidence` (h, w). `image_rgb`, `depth` (H, W) and its
    `intrinsics` (3, 3) may be missing; colours and points stand in for them.
    """

    world_from_camera: np.ndarray
    points: np.ndarray
    colours: np.ndarray
    confidence: np.ndarray
    image_rgb: np.ndarray | None = None
    depth: np.ndarray | None = None
    intrinsics: np.ndarray | None = None

    def picture(self) -> np.ndarray:
        """Give the camera image, or what the cloud has of it."""
        return self.colours if self.image_rgb is None else self.image_rgb

    def depth_picture(self) -> np.ndarray:
        """Give the depth image, or what the cloud has of it."""
        return self.points[..., 2] if self.depth is None else self.depth

    def camera(self, image_rgb: np.ndarray | None) -> Camera:
        """Describe the camera, with a picture to show in it."""
        height, width = self.depth_picture().shape
        return Camera(self.world_from_camera, self._fov_y_rad(height), width / height, image_rgb)

    def _fov_y_rad(self, height: int) -> float:
        focal = 0.0 if self.intrinsics is None else float(self.intrinsics[1, 1])
        if self.depth is None or not focal > 0:
            return DEFAULT_FOV_Y_RAD
        return 2 * float(np.arctan(height / 2 / focal))
