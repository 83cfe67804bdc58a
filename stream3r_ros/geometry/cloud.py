"""Depth images to point grids on the host, and what clouds are made of."""

from typing import Literal

import numpy as np

KEY_BITS = 21
MOST_VOXELS_PER_AXIS = 2 ** (KEY_BITS - 1)
"""From the origin in either direction."""
OUTSIDE = np.int64(-1)
"""The key of a point that belongs to no voxel."""

POINT_FIELDS = {
    'xyz': ('x', 'y', 'z'),
    'xyzrgb': ('x', 'y', 'z', 'rgb'),
    'xyzrgbc': ('x', 'y', 'z', 'rgb', 'confidence'),
}


def valid_depth(
    depth: np.ndarray, confidence: np.ndarray, min_confidence: float, mask: np.ndarray | None
) -> np.ndarray:
    """Mark pixels whose depth may be used, (H, W) bool.

    They are finite, positive, confident enough and, where a mask is given, inside of it.
    """
    valid = np.isfinite(depth) & (depth > 0) & (confidence >= min_confidence)
    return valid if mask is None else valid & mask


def point_grid(depth: np.ndarray, camera_matrix: np.ndarray, stride: int) -> np.ndarray:
    """Unproject every ``stride``-th row and column of depth (H, W) to points (h, w, 3), float32.

    Points are in the camera's optical frame; a NaN depth gives a NaN point.
    """
    sampled = depth[::stride, ::stride]
    v = np.arange(0, depth.shape[0], stride, dtype=np.float32)
    u = np.arange(0, depth.shape[1], stride, dtype=np.float32)
    matrix = camera_matrix.astype(np.float32)
    points = np.empty((*sampled.shape, 3), np.float32)
    points[..., 0] = (u - matrix[0, 2]) / matrix[0, 0] * sampled
    points[..., 1] = ((v - matrix[1, 2]) / matrix[1, 1])[:, None] * sampled
    points[..., 2] = sampled
    return points


def point_type(fields: str, byte_order: Literal['=', '<'] = '=') -> np.dtype:
    """Give the record of a point with one of POINT_FIELDS, four bytes a field.

    ``rgb`` is 0x00RRGGBB in the four bytes of a float, as PCL has it; it is declared an integer
    here, since arithmetic on such a float would spoil it. Raises ValueError for other fields.
    """
    if fields not in POINT_FIELDS:
        raise ValueError(f'fields are {fields!r}, expected one of {", ".join(POINT_FIELDS)}')
    kinds = {'rgb': np.uint32}
    return np.dtype([
        (name, np.dtype(kinds.get(name, np.float32)).newbyteorder(byte_order))
        for name in POINT_FIELDS[fields]
    ])  # fmt: skip


def point_records(
    points: np.ndarray, colours: np.ndarray, confidence: np.ndarray, kind: np.dtype
) -> np.ndarray:
    """Join points (..., 3), colours (..., 3) uint8 and confidence (...) to records (...)."""
    records, names = np.empty(points.shape[:-1], kind), kind.names or ()
    for axis, name in enumerate('xyz'):
        records[name] = points[..., axis]
    if 'rgb' in names:
        records['rgb'] = packed_rgb(colours)
    if 'confidence' in names:
        records['confidence'] = confidence
    return records


def packed_rgb(colours: np.ndarray) -> np.ndarray:
    """Pack colours (..., 3) uint8 into uint32 (...), 0x00RRGGBB."""
    packed = colours[..., 0].astype(np.uint32)
    for channel in (1, 2):
        packed <<= np.uint32(8)
        packed |= colours[..., channel]
    return packed


def voxel_keys(points: np.ndarray, side: float) -> np.ndarray:
    """Number the voxels of points (N, 3) with int64 keys (N,).

    A point that is not finite, or MOST_VOXELS_PER_AXIS or more away along an axis, gets OUTSIDE.
    """
    keys, within = np.zeros(len(points), np.int64), np.ones(len(points), bool)
    # What is not finite or too far makes a number without meaning, which OUTSIDE replaces.
    with np.errstate(over='ignore', invalid='ignore'):
        scale = np.float32(1 / np.float64(side))
        for axis in range(3):
            cell = np.floor(points[:, axis] * scale)
            within &= np.abs(cell) < MOST_VOXELS_PER_AXIS
            keys <<= KEY_BITS
            keys |= cell.astype(np.int64) + MOST_VOXELS_PER_AXIS
    keys[~within] = OUTSIDE
    return keys


def best_of_each(keys: np.ndarray, confidence: np.ndarray) -> np.ndarray:
    """Give the index of the most confident point of every key but OUTSIDE, in the keys' order."""
    order = np.argsort(keys)
    order = order[np.searchsorted(keys, 0, sorter=order) :]
    keys, confidence = keys[order], confidence[order]
    is_first = np.ones(len(keys), bool)
    np.not_equal(keys[1:], keys[:-1], out=is_first[1:])
    first = np.flatnonzero(is_first)
    if len(first) == len(keys):
        return order
    group = np.cumsum(is_first) - 1
    is_best = confidence == np.fmax.reduceat(confidence, first)[group]
    best = order[first]  # stays where a whole group's confidence is NaN
    best[group[is_best]] = order[is_best]
    return best
