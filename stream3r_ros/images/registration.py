"""Depth of the network image, seen at the camera's own resolution."""

from __future__ import annotations

import numpy as np

from stream3r_ros.images.mapping import ImageMapping

DEPTH_AGREEMENT = 0.05
"""Neighbours whose depths differ by a larger share belong to different surfaces."""


def depth_at_camera(
    depth: np.ndarray, mapping: ImageMapping, agreement: float = DEPTH_AGREEMENT
) -> np.ndarray:
    """Resample depth (H, W) of the network image to the camera image, float32 (h, w).

    Where the four neighbours agree up to the share `agreement`, the inverse of depth is
    interpolated: it is linear in the pixels of a plane. Elsewhere the nearest pixel is taken, so
    that nothing floats between two surfaces. NaN is outside of what the network saw, and where
    the nearest pixel is NaN. Raises ValueError for a depth of another size.
    """
    if depth.shape != mapping.network_hw:
        raise ValueError(f'depth has shape {depth.shape}, expected {mapping.network_hw}')
    depth = np.asarray(depth, np.float32)
    rows, columns = (_Samples.plan(mapping, axis) for axis in (0, 1))
    with np.errstate(divide='ignore', invalid='ignore', over='ignore'):
        smooth = _taken(_agreeing(depth, agreement), rows.first, columns.first)
        between = 1 / _interpolated(1 / depth, rows, columns)
    found = _taken(depth, rows.nearest, columns.nearest)
    np.copyto(found, between, where=smooth)
    found[~rows.seen] = np.nan
    found[:, ~columns.seen] = np.nan
    return found


def mask_at_network(mask: np.ndarray, mapping: ImageMapping) -> np.ndarray:
    """Sample a mask (h, w) bool of the camera image at the network's pixels, (H, W) bool.

    The nearest camera pixel decides; padding is False. Raises ValueError for another size.
    """
    if mask.shape != mapping.camera_hw:
        raise ValueError(f'mask has shape {mask.shape}, expected {mapping.camera_hw}')
    matrix = mapping.camera_from_network
    rows, columns = (
        np.rint(np.arange(mapping.network_hw[axis]) * matrix[1 - axis, 1 - axis] + offset)
        .astype(np.intp)
        .clip(0, mapping.camera_hw[axis] - 1)
        for axis, offset in ((0, matrix[1, 2]), (1, matrix[0, 2]))
    )
    return mask[np.ix_(rows, columns)] & mapping.image_mask()


class _Samples:
    """Where the pixels of one axis of the camera image lie in the network image."""

    def __init__(self, position: np.ndarray, start: int, stop: int) -> None:
        """Take the positions in network pixels; the image is [start, stop) of the network's."""
        self.seen = (position >= start - 0.5) & (position <= stop - 0.5)
        self.nearest = np.clip(np.rint(position), start, stop - 1).astype(np.intp)
        # The outermost half pixel continues the slope of the last two.
        self.first = np.clip(np.floor(position), start, stop - 2).astype(np.intp)
        weight = np.clip(position - self.first, -0.5, 1.5)
        self.weight = weight.astype(np.float32)

    @classmethod
    def plan(cls, mapping: ImageMapping, axis: int) -> _Samples:
        """Follow the mapping for the rows (0) or columns (1) of the camera image."""
        matrix, column = mapping.network_from_camera, 1 - axis
        pixels = np.arange(mapping.camera_hw[axis])
        position = pixels * matrix[column, column] + matrix[column, 2]
        image = mapping.image_slices[axis]
        return cls(position, image.start, image.stop)


def _taken(values: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    # One axis after the other is faster than both at once.
    return values.take(columns, axis=1).take(rows, axis=0)


def _agreeing(depth: np.ndarray, agreement: float) -> np.ndarray:
    """Mark each square of four neighbours, (H - 1, W - 1), that shows one surface."""
    corners = [depth[:-1, :-1], depth[:-1, 1:], depth[1:, :-1], depth[1:, 1:]]
    nearest, farthest = np.minimum.reduce(corners), np.maximum.reduce(corners)
    return (nearest > 0) & (farthest <= nearest * np.float32(1 + agreement))


def _interpolated(values: np.ndarray, rows: _Samples, columns: _Samples) -> np.ndarray:
    """Interpolate along the columns, then along the rows."""
    weight = columns.weight
    left, right = (values.take(columns.first + step, axis=1) for step in (0, 1))
    across = left + (right - left) * weight
    weight = rows.weight[:, None]
    upper, lower = (across.take(rows.first + step, axis=0) for step in (0, 1))
    lower -= upper
    lower *= weight
    lower += upper
    return lower
