"""Read what a finished run left behind: `stream3r run` and the recorder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import trimesh

from stream3r_ros.export import read_depth_png
from stream3r_ros.export.depth import SCALE_NAME
from stream3r_ros.geometry.rigid import matrix_from_quat_xyzw, rigid
from stream3r_ros.viewing.frame import ROS_FROM_OPTICAL

NEEDED = ('cloud.ply', 'trajectory.tum')


@dataclass(frozen=True, eq=False)
class FinishedRun:
    """A run in a world with z up: points (N, 3), colours (N, 3) uint8, camera poses (M, 4, 4).

    `depths` are the depth images, `depth_scale` what their values count, and `summary` what
    `summary.json` says; both may be empty.
    """

    points: np.ndarray
    colours: np.ndarray
    world_from_camera: np.ndarray
    depths: tuple[Path, ...]
    depth_scale: float
    summary: dict[str, object]

    def depth(self, index: int) -> np.ndarray:
        """Read one depth image (h, w), NaN where there is none."""
        return read_depth_png(self.depths[index], self.depth_scale)


def read_run(folder: Path) -> FinishedRun:
    """Read a folder; raises ValueError with one sentence that names what is missing or broken."""
    if not folder.is_dir():
        raise ValueError(f'{folder} is no folder: name one that `stream3r run` wrote')
    missing = [name for name in NEEDED if not (folder / name).is_file()]
    if missing:
        raise ValueError(f'{folder} has no {" and no ".join(missing)}: no finished run')
    points, colours = _read_cloud(folder / 'cloud.ply')
    poses = _read_trajectory(folder / 'trajectory.tum')
    upright = _upright_from_world(poses)
    depths, scale = _find_depths(folder / 'depth')
    return FinishedRun(
        points @ upright[:3, :3].T.astype(np.float32),
        colours,
        upright @ poses,
        depths,
        scale,
        _read_json(folder / 'summary.json'),
    )


def _upright_from_world(poses: np.ndarray) -> np.ndarray:
    """Tell the two worlds apart by the first camera, which defines both.

    `stream3r run` writes the world of its optical axes, in which it looks along z; the recorder
    that of the node, in which it looks along x and z is up.
    """
    looks_along_z = len(poses) and poses[0, 2, 2] > poses[0, 0, 2]
    return ROS_FROM_OPTICAL if looks_along_z else np.eye(4)


def _read_cloud(path: Path) -> tuple[np.ndarray, np.ndarray]:
    try:
        cloud = trimesh.load(path, file_type='ply')
    except Exception as error:  # trimesh raises whatever its parser stumbles over
        raise ValueError(f'{path} is no PLY file that can be read: {error}') from error
    points = np.asarray(getattr(cloud, 'vertices', np.zeros((0, 3))), np.float32)
    colours = np.asarray(getattr(cloud, 'colors', np.zeros((0, 4))), np.uint8)[:, :3]
    if colours.shape != points.shape:
        colours = np.full(points.shape, 200, np.uint8)
    return points, colours


def _read_trajectory(path: Path) -> np.ndarray:
    """Read the poses (N, 4, 4) of a TUM trajectory."""
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith('#')]
    try:
        rows = np.array([line.split() for line in lines], float).reshape(-1, 8)
    except ValueError as error:
        raise ValueError(f'{path} is no trajectory of eight numbers a line') from error
    return rigid(matrix_from_quat_xyzw(rows[:, 4:]), rows[:, 1:4])


def _find_depths(folder: Path) -> tuple[tuple[Path, ...], float]:
    scale = _read_json(folder / SCALE_NAME).get('scale')
    if not isinstance(scale, float):
        return (), 1.0
    return tuple(sorted(folder.glob('*.png'))), scale


def _read_json(path: Path) -> dict[str, object]:
    if not path.is_file():
        return {}
    try:
        return dict(json.loads(path.read_text()))
    except (ValueError, TypeError) as error:
        raise ValueError(f'{path} is no JSON object: {error}') from error
