"""Point grids to PointCloud2: which fields, how many points, organised or a list."""

import array
import math
import sys

import numpy as np
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import Header

from stream3r_ros.geometry.cloud import (
    best_of_each,
    point_records,
    point_type,
    voxel_keys,
)
from stream3r_ros.node.messages import fill

CLOUD_BYTES = 2_000_000
"""Larger messages are lost more often on a best-effort connection."""
IS_BIGENDIAN = sys.byteorder == 'big'


def cloud_stride(
    image_hw: tuple[int, int], requested: int, fields: str, most_bytes: int = CLOUD_BYTES
) -> int:
    """Give the requested stride, or for 0 the least whose cloud has at most ``most_bytes``."""
    if requested:
        return requested
    height, width = image_hw
    most_points = most_bytes // point_type(fields).itemsize
    stride = max(1, math.isqrt(height * width // max(most_points, 1)))
    while math.ceil(height / stride) * math.ceil(width / stride) > most_points:
        stride += 1
    return stride


def cloud_message(
    header: Header,
    points: np.ndarray,
    image_rgb: np.ndarray,
    confidence: np.ndarray,
    fields: str,
    organized: bool,
    voxel_size: float = 0.0,
) -> PointCloud2:
    """Make a cloud of points (h, w, 3) float32, colours (h, w, 3) uint8 and confidence (h, w).

    ``fields`` is one of POINT_FIELDS. An organised cloud keeps the grid, with NaN for a point
    that is not finite, since infinity means more than unknown (REP-117); a list leaves such
    points out. With a ``voxel_size``, in the points' unit, the cloud is a list of the most
    confident point in each voxel of a grid at the origin of the header's frame.
    """
    if organized and not voxel_size:
        return _organised_message(header, points, image_rgb, confidence, fields)
    if voxel_size:
        keep = best_of_each(voxel_keys(points.reshape(-1, 3), voxel_size), confidence.reshape(-1))
    else:
        keep = np.flatnonzero(_is_finite(points))
    return list_message(
        header,
        points.reshape(-1, 3)[keep],
        image_rgb.reshape(-1, 3)[keep],
        confidence.reshape(-1)[keep],
        fields,
    )


def list_message(
    header: Header, points: np.ndarray, colours: np.ndarray, confidence: np.ndarray, fields: str
) -> PointCloud2:
    """Make a cloud of height 1 from finite points (N, 3), colours (N, 3) and confidence (N,)."""
    records = point_records(points, colours, confidence, point_type(fields))
    return _message(header, records[None], is_dense=True)


def _organised_message(
    header: Header, points: np.ndarray, image_rgb: np.ndarray, confidence: np.ndarray, fields: str
) -> PointCloud2:
    records = point_records(points, image_rgb, confidence, point_type(fields))
    unknown = ~_is_finite(points)
    for axis in 'xyz':
        records[axis][unknown] = np.nan
    return _message(header, records, is_dense=False)


def _is_finite(points: np.ndarray) -> np.ndarray:
    """Mark the finite points (...) of (..., 3); over that short axis a reduction is slow."""
    x, y, z = (np.isfinite(points[..., axis]) for axis in range(3))
    return x & y & z


def _message(header: Header, records: np.ndarray, is_dense: bool) -> PointCloud2:
    """Wrap records (h, w)."""
    height, width = records.shape
    step = records.dtype.itemsize
    return PointCloud2(
        header=header, height=height, width=width, fields=_point_fields(records.dtype),
        is_bigendian=IS_BIGENDIAN, point_step=step, row_step=step * width,
        # An empty memoryview cannot be cast.
        data=fill(records) if records.size else array.array('B'), is_dense=is_dense,
    )  # fmt: skip


def _point_fields(kind: np.dtype) -> list[PointField]:
    """Describe the records; rgb is declared a float, as RViz and PCL expect."""
    return [
        PointField(name=name, offset=offset, datatype=PointField.FLOAT32, count=1)
        for name, (_, offset) in kind.fields.items()
    ]
