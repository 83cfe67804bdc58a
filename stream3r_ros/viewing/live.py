"""The growing view of a running stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stream3r_ros.export import VoxelMap
from stream3r_ros.geometry.rigid import transform_points
from stream3r_ros.viewing.colours import coloured, thumbnail
from stream3r_ros.viewing.display import DisplayOptions
from stream3r_ros.viewing.frame import Camera, ViewedFrame
from stream3r_ros.viewing.scene import Scene
from stream3r_ros.viewing.thinning import Thinned

if TYPE_CHECKING:
    import viser

PATH_POINTS = 1000
CAMERA_PICTURE_PX, PAST_PICTURE_PX = 320, 64
CEILING_UNITS = 0.15


@dataclass(frozen=True)
class ViewLimits:
    """What bounds memory and traffic of server and browser."""

    max_points: int = 200_000
    max_cloud_points: int = 50_000
    max_cameras: int = 30
    map_period_s: float = 0.5


class LiveView:
    """Map, present cloud, cameras and their way, from frames in one world.

    The map is sent at most every `map_period_s`, the present frame with every `refresh`. While
    nobody looks the map grows, and nothing is sent.
    """

    def __init__(self, server: viser.ViserServer, limits: ViewLimits) -> None:
        """Show an empty scene."""
        self._server = server
        self._scene = Scene(server)
        self._watched = False
        self._display = DisplayOptions(server, live=True)
        self._limits = limits
        self._cameras: Thinned[Camera] = Thinned(limits.max_cameras)
        self._path: Thinned[np.ndarray] = Thinned(PATH_POINTS)
        self._begin()

    def _begin(self) -> None:
        self._map = VoxelMap(max_points=self._limits.max_points)
        self._unit = 0.0
        self._top = -np.inf
        self._frame: ViewedFrame | None = None
        self._frame_changed = False
        self._map_due_s = 0.0
        self._map_changed = False

    @property
    def point_count(self) -> int:
        """Give the number of points in the map."""
        return len(self._map)

    @property
    def voxel_size(self) -> float | None:
        """Give the side of the map's voxels; None before the first points."""
        return self._map.voxel_size

    def clear(self) -> None:
        """Forget the world that was: another stream has another one."""
        self._cameras.clear()
        self._path.clear()
        self._begin()
        self._scene.clear()

    def add(self, frame: ViewedFrame) -> None:
        """Take a frame into the map; it is the present one from the next `refresh` on."""
        points, colours, confidences = in_world(frame, stride=1)
        self._map.add(points, colours, confidences)
        if not self._unit and len(points):
            self._settle(points, frame)
        self._frame = frame
        self._frame_changed = self._map_changed = True
        self._top = max(self._top, frame.world_from_camera[2, 3])
        self._path.add(frame.world_from_camera[:3, 3])
        self._cameras.add(frame.camera(thumbnail(frame.picture(), PAST_PICTURE_PX)))

    def refresh(self, now_s: float) -> bool:
        """Send the present frame, the map if it is due, and what was changed in the page at once.

        Tell whether anybody looks.
        """
        came, self._watched = not self._watched, bool(self._server.get_clients())
        if not self._watched:
            return False
        anew = self._display.take_change() or came
        if self._frame is not None and (self._frame_changed or anew):
            self._frame_changed = False
            self._show_present(self._frame)
        if anew or (self._map_changed and now_s >= self._map_due_s):
            self._map_due_s = now_s + self._limits.map_period_s
            self._map_changed = False
            self._show_map()
        return True

    def _settle(self, points: np.ndarray, frame: ViewedFrame) -> None:
        """Choose unit, eye and floor by the first points."""
        offsets = points - frame.world_from_camera[:3, 3]
        self._unit = float(np.median(np.linalg.norm(offsets, axis=1)))
        self._scene.look_over_shoulder(frame.world_from_camera[:3, 3], self._unit)
        self._scene.show_floor(points, self._unit)

    def _show_present(self, frame: ViewedFrame) -> None:
        picture = thumbnail(frame.picture(), CAMERA_PICTURE_PX)
        if self._display.shows_cameras:
            self._scene.show_present_camera(frame.camera(picture), self._unit or 1.0)
        stride = cloud_stride(frame.points.shape[:2], self._limits.max_cloud_points)
        points, colours, confidences = in_world(frame, stride)
        shown = self._below_ceiling(points) if self._display.shows_cloud else slice(0)
        self._show_points('cloud', points[shown], colours[shown], confidences[shown], 1.5)

    def _show_map(self) -> None:
        points = self._map.points
        shown = self._below_ceiling(points) if self._display.shows_map else slice(0)
        self._show_points(
            'map', points[shown], self._map.colors[shown], self._map.confidences[shown], 1.2
        )
        cameras = self._display.shows_cameras
        self._scene.show_cameras(self._cameras.items if cameras else [], self._unit or 1.0)
        self._scene.show_path(np.array(self._path.items if cameras else []).reshape(-1, 3))

    def _show_points(
        self, name: str, points: np.ndarray, colours: np.ndarray, confidences: np.ndarray,
        voxels: float,
    ) -> None:  # fmt: skip
        colours = coloured(self._display.colouring, points, colours, confidences)
        size = voxels * (self._map.voxel_size or 0.01) * self._display.point_size
        self._scene.show_points(name, points, colours, size)

    def _below_ceiling(self, points: np.ndarray) -> np.ndarray | slice:
        if not self._display.hides_ceiling:
            return slice(None)
        return points[:, 2] < self._top + CEILING_UNITS * self._unit


def in_world(frame: ViewedFrame, stride: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give the known points (N, 3) in the world, colours and confidences of every n-th pixel."""
    points = frame.points[::stride, ::stride]
    known = np.isfinite(points).all(axis=-1)
    moved = transform_points(frame.world_from_camera.astype(np.float32), points[known])
    return (
        moved,
        frame.colours[::stride, ::stride][known],
        frame.confidence[::stride, ::stride][known],
    )


def cloud_stride(image_hw: tuple[int, int], most: int) -> int:
    """Give the least stride that leaves at most so many of an image's pixels, about."""
    share = image_hw[0] * image_hw[1] / most
    # A list of points is an image of one row, of which no row can be left out.
    return max(1, int(np.ceil(share if image_hw[0] == 1 else np.sqrt(share))))
