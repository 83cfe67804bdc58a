"""Depth images to point grids on the host."""

import numpy as np


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
