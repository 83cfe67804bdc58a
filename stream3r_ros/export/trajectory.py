"""Camera trajectories in the format of the TUM RGB-D benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stream3r_ros.export.files import write_bytes
from stream3r_ros.geometry.rigid import quat_xyzw_from_matrix

TRAJECTORY_HEADER = '# timestamp tx ty tz qx qy qz qw (world from camera, OpenCV optical axes)\n'


def write_trajectory_tum(
    path: Path | str, stamps_s: Sequence[float], world_from_camera: np.ndarray
) -> None:
    """Write one line a frame: seconds, position and unit quaternion (xyzw) of the camera.

    `world_from_camera` is (N, 4, 4). Raises ValueError when the numbers of stamps and poses
    differ.
    """
    write_bytes(path, (TRAJECTORY_HEADER + trajectory_lines(stamps_s, world_from_camera)).encode())


def trajectory_lines(stamps_s: Sequence[float], world_from_camera: np.ndarray) -> str:
    """Give the lines of poses (N, 4, 4), without the header; raises ValueError as above."""
    poses = np.asarray(world_from_camera, float).reshape(-1, 4, 4)
    if len(stamps_s) != len(poses):
        raise ValueError(f'{len(stamps_s)} stamps for {len(poses)} poses, expected as many')
    rows = np.concatenate([poses[:, :3, 3], quat_xyzw_from_matrix(poses[:, :3, :3])], axis=1)
    lines = [
        f'{stamp:.9f} ' + ' '.join(f'{value:.9g}' for value in row) + '\n'
        for stamp, row in zip(stamps_s, rows, strict=True)
    ]
    return ''.join(lines)
