"""What the network says about frames."""

from dataclasses import dataclass

from torch import Tensor

from stream3r_ros.geometry import camera


@dataclass(frozen=True)
class Predictions:
    """Depth, points and cameras of S frames, float32; None for what was not asked for.

    The world frame is the anchor's camera frame (OpenCV optical axes) up to the network's own
    error, and the unit of length is the network's: arbitrary, but one for all fields.
    """

    image_hw: tuple[int, int]
    pose_encoding: Tensor | None = None  # (B, S, 9) translation, quaternion xyzw, fov v, fov h
    depth: Tensor | None = None  # (B, S, H, W) along the optical axis
    depth_confidence: Tensor | None = None  # (B, S, H, W), at least 1
    points: Tensor | None = None  # (B, S, H, W, 3) in the world frame
    points_confidence: Tensor | None = None  # (B, S, H, W), at least 1

    @property
    def camera_from_world(self) -> Tensor:
        """Extrinsics (B, S, 3, 4): X_cam = R X_world + t."""
        return camera.camera_from_world(self._need('pose_encoding', 'pose'))

    @property
    def world_from_camera(self) -> Tensor:
        """Camera poses (B, S, 4, 4)."""
        return camera.world_from_camera(self._need('pose_encoding', 'pose'))

    @property
    def intrinsics(self) -> Tensor:
        """Camera matrices (B, S, 3, 3) in pixels of the network image."""
        return camera.intrinsics(self._need('pose_encoding', 'pose'), self.image_hw)

    def unproject(self) -> Tensor:
        """Give points (B, S, H, W, 3) in the world frame from depth and pose."""
        in_camera = camera.camera_points(self._need('depth', 'depth'), self.intrinsics)
        return camera.transform_points(self.world_from_camera, in_camera)

    def _need(self, field: str, output: str) -> Tensor:
        value = getattr(self, field)
        if value is None:
            raise RuntimeError(f"{field} was not computed: add '{output}' to outputs")
        return value
