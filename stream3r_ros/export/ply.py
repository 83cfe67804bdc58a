"""Coloured point clouds as binary PLY."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import trimesh

from stream3r_ros.export.files import write_bytes

EMPTY_PLY = (
    b'ply\nformat binary_little_endian 1.0\nelement vertex 0\n'
    b'property float x\nproperty float y\nproperty float z\n'
    b'property uchar red\nproperty uchar green\nproperty uchar blue\nend_header\n'
)


def write_ply(path: Path | str, points: np.ndarray, colors: np.ndarray) -> None:
    """Write (N, 3) points with (N, 3) uint8 colours; no point at all makes a valid empty file.

    Raises ValueError for shapes that do not fit and for points that are not finite.
    """
    points, colors = np.asarray(points), np.asarray(colors)
    if points.ndim != 2 or points.shape[1] != 3 or colors.shape != points.shape:
        raise ValueError(f'points {points.shape} and colors {colors.shape} are not both (N, 3)')
    if not np.isfinite(points).all():
        raise ValueError('some points are not finite, expected finite ones')
    if not len(points):
        write_bytes(path, EMPTY_PLY)
        return
    write_bytes(path, trimesh.PointCloud(points, colors).export(file_type='ply'))
