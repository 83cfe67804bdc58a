"""Coloured point clouds as binary PCD, version 0.7, of the Point Cloud Library."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stream3r_ros.export.files import write_bytes
from stream3r_ros.export.ply import check_cloud
from stream3r_ros.geometry.cloud import point_records, point_type


def write_pcd(
    path: Path | str, points: np.ndarray, colors: np.ndarray, confidences: np.ndarray
) -> None:
    """Write (N, 3) points with (N, 3) uint8 colours and (N,) confidences as x y z rgb confidence.

    `rgb` is 0x00RRGGBB in the bytes of a float, as PCL and Open3D read it. Raises ValueError for
    shapes that do not fit and for points that are not finite.
    """
    points, colors = np.asarray(points), np.asarray(colors)
    check_cloud(points, colors, confidences)
    kind = point_type('xyzrgbc', '<')
    records = point_records(points, colors, confidences, kind)
    write_bytes(path, _header(records) + records.tobytes())


def _header(records: np.ndarray) -> bytes:
    """Describe the records; the entries' order is fixed by the format."""
    names = records.dtype.names or ()
    lines = (
        '# .PCD v0.7 - Point Cloud Data file format',
        'VERSION 0.7',
        f'FIELDS {" ".join(names)}',
        f'SIZE {" ".join("4" for _ in names)}',
        f'TYPE {" ".join("F" for _ in names)}',
        f'COUNT {" ".join("1" for _ in names)}',
        f'WIDTH {len(records)}',
        'HEIGHT 1',
        'VIEWPOINT 0 0 0 1 0 0 0',
        f'POINTS {len(records)}',
        'DATA binary',
    )
    return ''.join(f'{line}\n' for line in lines).encode()
