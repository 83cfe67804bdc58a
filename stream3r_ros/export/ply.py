"""Coloured point clouds as binary PLY."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stream3r_ros.export.files import write_bytes

VERTEX = np.dtype([
    ('x', '<f4'), ('y', '<f4'), ('z', '<f4'),
    ('red', 'u1'), ('green', 'u1'), ('blue', 'u1'),
])  # fmt: skip
VERTEX_WITH_CONFIDENCE = np.dtype([*VERTEX.descr, ('confidence', '<f4')])
PLY_TYPES = {'f': 'float', 'u': 'uchar'}


def write_ply(
    path: Path | str,
    points: np.ndarray,
    colors: np.ndarray,
    confidences: np.ndarray | None = None,
) -> None:
    """Write (N, 3) points with (N, 3) uint8 colours; no point at all makes a valid empty file.

    With (N,) confidences the points have a property `confidence`. Raises ValueError for shapes
    that do not fit and for points that are not finite.
    """
    points, colors = np.asarray(points), np.asarray(colors)
    check_cloud(points, colors, confidences)
    vertices = np.empty(len(points), VERTEX if confidences is None else VERTEX_WITH_CONFIDENCE)
    for axis in range(3):
        vertices['xyz'[axis]] = points[:, axis]
        vertices[('red', 'green', 'blue')[axis]] = colors[:, axis]
    if confidences is not None:
        vertices['confidence'] = confidences
    write_bytes(path, _header(vertices) + vertices.tobytes())


def check_cloud(points: np.ndarray, colors: np.ndarray, confidences: np.ndarray | None) -> None:
    """Raise ValueError for arrays that do not belong together and points that are not finite."""
    if points.ndim != 2 or points.shape[1] != 3 or colors.shape != points.shape:
        raise ValueError(f'points {points.shape} and colors {colors.shape} are not both (N, 3)')
    if confidences is not None and confidences.shape != points.shape[:1]:
        raise ValueError(
            f'confidences have shape {confidences.shape}, expected {points.shape[:1]}'
        )
    if not np.isfinite(points).all():
        raise ValueError('some points are not finite, expected finite ones')


def _header(vertices: np.ndarray) -> bytes:
    properties = [
        f'property {PLY_TYPES[vertices.dtype[name].kind]} {name}\n'
        for name in vertices.dtype.names or ()
    ]
    lines = (
        'ply\n',
        'format binary_little_endian 1.0\n',
        f'element vertex {len(vertices)}\n',
        *properties,
        'end_header\n',
    )
    return ''.join(lines).encode()
