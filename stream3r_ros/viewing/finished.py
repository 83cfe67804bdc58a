"""The view of a finished run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stream3r_ros.viewing.colours import coloured, depth_picture
from stream3r_ros.viewing.display import DisplayOptions
from stream3r_ros.viewing.frame import DEFAULT_FOV_Y_RAD, Camera
from stream3r_ros.viewing.numbers import table
from stream3r_ros.viewing.panel import PICTURE_PX
from stream3r_ros.viewing.run_folder import FinishedRun
from stream3r_ros.viewing.scene import Scene
from stream3r_ros.viewing.thinning import evenly

if TYPE_CHECKING:
    import viser

PATH_POINTS, CAMERAS = 1000, 30
POINTS_PER_SIDE = 300
SUMMARY_ROWS = (
    'input', 'weights', 'mode', 'frames', 'seconds_per_frame_median', 'device', 'voxel_size',
)  # fmt: skip


class FinishedView:
    """The cloud, the cameras and, frame by frame, the depth images of a run.

    Of larger clouds `max_points` evenly chosen points are sent to the browser.
    """

    def __init__(self, server: viser.ViserServer, run: FinishedRun, max_points: int) -> None:
        """Show the run."""
        self._run = run
        chosen = evenly(len(run.points), max_points)
        self._points, self._colours = run.points[chosen], run.colours[chosen]
        self._unit = _unit(self._points, run.world_from_camera)
        self._scene = Scene(server)
        server.gui.add_markdown(table(self._facts()))
        self._display = DisplayOptions(server, live=False)
        self._look()
        self._add_frames(server)
        self.refresh()

    def refresh(self) -> None:
        """Show the scene as it was chosen in the page, if that has changed."""
        if not self._display.take_change():
            return
        display, poses = self._display, self._run.world_from_camera
        points, colours = self._shown_points()
        # The size of a point that leaves few holes, if the cloud were a box of that many.
        size = 2.5 * self._unit / POINTS_PER_SIDE * display.point_size
        self._scene.show_points('map', points, coloured(display.colouring, points, colours), size)
        shown = poses if display.shows_cameras else poses[:0]
        self._scene.show_path(shown[evenly(len(shown), PATH_POINTS), :3, 3])
        cameras = [self._camera(pose) for pose in shown[evenly(len(shown), CAMERAS)]]
        self._scene.show_cameras(cameras, self._unit)

    def _shown_points(self) -> tuple[np.ndarray, np.ndarray]:
        poses = self._run.world_from_camera
        if not self._display.shows_map:
            return self._points[:0], self._colours[:0]
        if not self._display.hides_ceiling or not len(poses):
            return self._points, self._colours
        low = self._points[:, 2] < poses[:, 2, 3].max() + 0.15 * self._unit
        return self._points[low], self._colours[low]

    def _look(self) -> None:
        """Look over the shoulder of the first camera."""
        if len(self._points):
            self._scene.show_floor(self._points, self._unit)
        if len(self._run.world_from_camera):
            self._scene.look_over_shoulder(self._run.world_from_camera[0, :3, 3], self._unit)

    def _facts(self) -> list[tuple[str, str]]:
        summary = self._run.summary
        facts = [(name, summary[name]) for name in SUMMARY_ROWS if summary.get(name) is not None]
        facts += [('cameras', len(self._run.world_from_camera)), ('points', len(self._run.points))]
        if len(self._points) < len(self._run.points):
            facts.append(('points shown', len(self._points)))
        return [(name.replace('_', ' '), _said(value)) for name, value in facts]

    def _add_frames(self, server: viser.ViserServer) -> None:
        """Add a slider over the depth images, which also moves the present camera."""
        count = len(self._run.depths)
        if not count:
            return
        with server.gui.add_folder('Depth images', order=0.5):
            picture, said = depth_picture(self._run.depth(0), PICTURE_PX)
            image = server.gui.add_image(picture, label=f'Depth, {said}', format='jpeg')
            slider = server.gui.add_slider('Frame', 0, max(count - 1, 1), 1, 0)

        def show(_: object) -> None:
            index = min(slider.value, count - 1)
            image.image, said = depth_picture(self._run.depth(index), PICTURE_PX)
            image.label = f'Depth, {said}'
            self._show_present(index)

        slider.on_update(show)
        self._show_present(0)

    def _show_present(self, index: int) -> None:
        if index < len(self._run.world_from_camera):
            camera = self._camera(self._run.world_from_camera[index])
            self._scene.show_present_camera(camera, self._unit)

    @staticmethod
    def _camera(pose: np.ndarray) -> Camera:
        """Describe a camera whose field of view nobody wrote down."""
        return Camera(pose, DEFAULT_FOV_Y_RAD, 4 / 3)


def _unit(points: np.ndarray, poses: np.ndarray) -> float:
    """Give the median distance of the points from the first camera, 1 if there are none."""
    if not len(points):
        return 1.0
    start = poses[0, :3, 3] if len(poses) else np.zeros(3)
    return float(np.median(np.linalg.norm(points - start, axis=1))) or 1.0


def _said(value: object) -> str:
    if isinstance(value, float):
        return f'{value:.4g}'
    return f'{value:,}' if isinstance(value, int) else str(value)
