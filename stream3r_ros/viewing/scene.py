"""What stands in the scene, each thing under a name of its own that is used again and again.

The server keeps the last state of every name for browsers that come later, so the number of names
bounds the memory of server and browser.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stream3r_ros.geometry.rigid import quat_xyzw_from_matrix
from stream3r_ros.viewing.frame import Camera

if TYPE_CHECKING:
    import viser

PATH_COLOUR = (255, 168, 64)
PRESENT_COLOUR = (255, 168, 64)
PAST_COLOUR = (110, 150, 190)
BACKGROUND = (22, 25, 31)
FLOOR_COLOUR, FLOOR_UNITS = (66, 72, 84), 4
EYE, TARGET = np.array([-0.9, 0.55, 0.95]), np.array([0.75, -0.05, -0.25])
"""Where one looks from and to at first, in units from the first camera: over its shoulder."""


class Scene:
    """The scene of a page, in a world with z up; lengths are relative to a `unit` length."""

    def __init__(self, server: viser.ViserServer) -> None:
        """Start with an empty scene."""
        self._server = server
        self._clouds: dict[str, viser.PointCloudHandle] = {}
        self._frustums: dict[str, viser.CameraFrustumHandle] = {}
        self._path: viser.LineSegmentsHandle | None = None
        self._floor: viser.LineSegmentsHandle | None = None
        server.scene.set_up_direction('+z')
        # Nothing here is lit; lamps with shadows would draw the scene several times.
        server.scene.configure_default_lights(enabled=False)
        server.scene.configure_environment_map(None)
        server.scene.set_background_image(np.full((1, 1, 3), BACKGROUND, np.uint8), format='png')
        self.look_over_shoulder(np.zeros(3), 1.0)

    def look_from(self, position: np.ndarray, target: np.ndarray) -> None:
        """Put the eye somewhere, now and for whoever comes later or resets the view."""
        start = self._server.initial_camera
        start.position, start.look_at = position, target
        for client in self._server.get_clients().values():
            with client.atomic():
                client.camera.position, client.camera.look_at = position, target

    def look_over_shoulder(self, start: np.ndarray, unit: float) -> None:
        """Look from behind and above a camera (3,) that looks along x."""
        self.look_from(start + unit * EYE, start + unit * TARGET)

    def show_points(self, name: str, points: np.ndarray, colours: np.ndarray, size: float) -> None:
        """Show a cloud (N, 3) with colours (N, 3) uint8 in place of the last of its name."""
        cloud = self._clouds.get(name)
        if not len(points):
            self._remove(self._clouds, name)
        elif cloud is None:
            self._clouds[name] = self._server.scene.add_point_cloud(
                f'/{name}', points, colours, point_size=size, precision='float32',
                point_shape='square', point_shading='flat',
            )  # fmt: skip
        else:
            with self._server.atomic():
                cloud.points, cloud.colors, cloud.point_size = points, colours, size

    def show_cameras(self, cameras: list[Camera], unit: float) -> None:
        """Show past cameras in place of the last ones."""
        for index, camera in enumerate(cameras):
            self._show_camera(f'cameras/{index:03d}', camera, 0.05 * unit, PAST_COLOUR)
        for name in [n for n in self._frustums if n.startswith('cameras/')][len(cameras) :]:
            self._remove(self._frustums, name)

    def show_present_camera(self, camera: Camera, unit: float) -> None:
        """Show the camera of the present frame."""
        self._show_camera('camera', camera, 0.11 * unit, PRESENT_COLOUR)

    def show_path(self, positions: np.ndarray) -> None:
        """Show the way (N, 3) of the camera in place of the last one."""
        if len(positions) < 2:
            if self._path is not None:
                self._path.remove()
                self._path = None
            return
        segments = np.stack([positions[:-1], positions[1:]], axis=1).astype(np.float32)
        self._path = self._server.scene.add_line_segments(
            '/path', segments, PATH_COLOUR, thickness=2.0, thickness_units='screen'
        )

    def show_floor(self, points: np.ndarray, unit: float) -> None:
        """Show a grid a little below points (N, 3), with cells of a round length."""
        height = float(np.percentile(points[:, 2], 0.5)) - 0.03 * unit
        segments, colours = floor_lines(unit, height)
        self._floor = self._server.scene.add_line_segments(
            '/floor', segments, colours, thickness=1.0, thickness_units='screen'
        )

    def clear(self) -> None:
        """Take everything away."""
        for name in list(self._clouds):
            self._remove(self._clouds, name)
        for name in list(self._frustums):
            self._remove(self._frustums, name)
        self.show_path(np.zeros((0, 3)))
        if self._floor is not None:
            self._floor.remove()
            self._floor = None

    def _show_camera(
        self, name: str, camera: Camera, scale: float, colour: tuple[int, int, int]
    ) -> None:
        pose = camera.world_from_camera
        wxyz = quat_xyzw_from_matrix(pose[:3, :3])[[3, 0, 1, 2]]
        frustum = self._frustums.get(name)
        if frustum is None:
            self._frustums[name] = self._server.scene.add_camera_frustum(
                f'/{name}', camera.fov_y_rad, camera.aspect, scale=scale, color=colour,
                image=camera.image_rgb, format='jpeg', wxyz=wxyz, position=camera.position,
                thickness=1.5, thickness_units='screen', cast_shadow=False, receive_shadow=False,
            )  # fmt: skip
            return
        with self._server.atomic():
            frustum.wxyz, frustum.position = wxyz, camera.position
            frustum.fov, frustum.aspect, frustum.scale = camera.fov_y_rad, camera.aspect, scale
            frustum.image = camera.image_rgb

    @staticmethod
    def _remove(handles: dict, name: str) -> None:
        handle = handles.pop(name, None)
        if handle is not None:
            handle.remove()


def floor_lines(unit: float, height: float) -> tuple[np.ndarray, np.ndarray]:
    """Give the segments (N, 2, 3) of a grid at a height, and colours that fade away from z.

    A browser without a graphics card draws lines quickly; a plane with a shader costs it as much
    as all the points.
    """
    cell = 10 ** np.floor(np.log10(unit)) / 2
    count = int(FLOOR_UNITS * unit / cell)
    offsets = cell * np.arange(-count, count + 1)
    share = 1 - np.abs(offsets) / (cell * (count + 1))
    ends = np.zeros((2, 2, len(offsets), 2, 3))  # direction, half, line, end of the half
    for direction in (0, 1):
        ends[direction, ..., 1 - direction] = offsets[None, :, None]
        ends[direction, 0, :, 1, direction] = cell * count
        ends[direction, 1, :, 1, direction] = -cell * count
    ends[..., 2] = height
    tints = np.broadcast_to(np.array(BACKGROUND, float), ends.shape).copy()
    tints[..., 0, :] += share[:, None] * np.subtract(FLOOR_COLOUR, BACKGROUND)
    segments, colours = ends.astype(np.float32), tints.round().astype(np.uint8)
    return segments.reshape(-1, 2, 3), colours.reshape(-1, 2, 3)
