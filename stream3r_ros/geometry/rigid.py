"""Rigid transforms as matrices and quaternions, in numpy.

A transform is a (..., 4, 4) matrix named `target_from_source`. Quaternions are xyzw, scalar last.
Optical axes are OpenCV's: x right, y down, z forward.
"""

from __future__ import annotations

import numpy as np


def rigid(rotation: np.ndarray, translation: np.ndarray) -> np.ndarray:
    """Join (..., 3, 3) rotations and (..., 3) translations into (..., 4, 4) transforms."""
    rotation, translation = np.asarray(rotation, float), np.asarray(translation, float)
    leading = np.broadcast_shapes(rotation.shape[:-2], translation.shape[:-1])
    transform = np.zeros((*leading, 4, 4))
    transform[..., :3, :3] = rotation
    transform[..., :3, 3] = translation
    transform[..., 3, 3] = 1.0
    return transform


def invert_rigid(transform: np.ndarray) -> np.ndarray:
    """Invert (..., 4, 4) transforms by transposing their rotations."""
    transform = np.asarray(transform, float)
    inverse_rotation = np.swapaxes(transform[..., :3, :3], -1, -2)
    translation = -(inverse_rotation @ transform[..., :3, 3:])[..., 0]
    return rigid(inverse_rotation, translation)


def transform_points(transform: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Move (..., N, 3) points by (..., 4, 4) transforms."""
    rotation = np.swapaxes(transform[..., :3, :3], -1, -2)
    return points @ rotation + transform[..., None, :3, 3]


def look_at(position: np.ndarray, target: np.ndarray, up: np.ndarray) -> np.ndarray:
    """Make world_from_camera, in optical axes, of a camera that looks from position to target.

    The image's upward direction leans towards `up`. Leading axes broadcast. Raises ValueError
    when the target is at the position or straight along `up`.
    """
    position = np.asarray(position, float)
    forward = _unit(np.asarray(target, float) - position, 'the target is at the position')
    right = _unit(np.cross(forward, np.asarray(up, float)), 'the view direction is along up')
    down = np.cross(forward, right)
    return rigid(np.stack(np.broadcast_arrays(right, down, forward), axis=-1), position)


def quat_xyzw_from_matrix(rotation: np.ndarray) -> np.ndarray:
    """Turn (..., 3, 3) rotations into (..., 4) unit quaternions with a scalar part >= 0.

    Of the four ways to write a quaternion, the one that divides by the largest component.
    """
    m = np.asarray(rotation, float)
    xx, yy, zz = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    xy, xz, yz = (m[..., i, j] + m[..., j, i] for i, j in ((0, 1), (0, 2), (1, 2)))
    wx, wy, wz = (m[..., i, j] - m[..., j, i] for i, j in ((2, 1), (0, 2), (1, 0)))
    rows = [
        (1 + xx - yy - zz, xy, xz, wx),
        (xy, 1 - xx + yy - zz, yz, wy),
        (xz, yz, 1 - xx - yy + zz, wz),
        (wx, wy, wz, 1 + xx + yy + zz),
    ]
    candidates = np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)
    largest = np.diagonal(candidates, axis1=-2, axis2=-1).argmax(axis=-1)
    quat = np.take_along_axis(candidates, largest[..., None, None], axis=-2)[..., 0, :]
    quat = quat / np.linalg.norm(quat, axis=-1, keepdims=True)
    return np.where(quat[..., 3:] < 0, -quat, quat)


def matrix_from_quat_xyzw(quat_xyzw: np.ndarray) -> np.ndarray:
    """Turn (..., 4) quaternions, which need not be normalised, into (..., 3, 3) rotations."""
    quat = np.asarray(quat_xyzw, float)
    x, y, z, w = np.moveaxis(quat, -1, 0)
    two = 2.0 / (quat * quat).sum(-1)
    rows = [
        (1 - two * (y * y + z * z), two * (x * y - z * w), two * (x * z + y * w)),
        (two * (x * y + z * w), 1 - two * (x * x + z * z), two * (y * z - x * w)),
        (two * (x * z - y * w), two * (y * z + x * w), 1 - two * (x * x + y * y)),
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def _unit(vector: np.ndarray, reason: str) -> np.ndarray:
    length = np.linalg.norm(vector, axis=-1, keepdims=True)
    if np.any(length < 1e-9):
        raise ValueError(f'a camera cannot look there: {reason}')
    return vector / length
