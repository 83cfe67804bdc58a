"""Rigid transforms as matrices and quaternions, in numpy.

A transform is a (..., 4, 4) matrix named `target_from_source`. Quaternions are xyzw, scalar last.
Optical axes are OpenCV's: x right, y down, z forward.
"""

from __future__ import annotations

import numpy as np

BODY_FROM_OPTICAL = np.array([
    [0.0, 0.0, 1.0, 0.0],
    [-1.0, 0.0, 0.0, 0.0],
    [0.0, -1.0, 0.0, 0.0],
    [0.0, 0.0, 0.0, 1.0],
])  # fmt: skip
"""REP-103: x forward, y left, z up, from an optical frame's x right, y down, z forward.

As a quaternion xyzw it is (-0.5, 0.5, -0.5, 0.5).
"""
BODY_FROM_OPTICAL.setflags(write=False)


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


def is_rigid(transform: np.ndarray, tolerance: float = 1e-3) -> np.ndarray:
    """Tell which of (..., 4, 4) matrices are finite rotations and translations.

    The tolerance is on the entries of R R^T and on the last row; reflections are not rigid.
    """
    transform = np.asarray(transform, float)
    finite = np.isfinite(transform).all(axis=(-1, -2))
    known = np.where(finite[..., None, None], transform, np.eye(4))
    rotation = np.clip(known[..., :3, :3], -2.0, 2.0)  # far from any rotation, and no overflow
    error = np.abs(rotation @ np.swapaxes(rotation, -1, -2) - np.eye(3)).max(axis=(-1, -2))
    last_row = np.abs(known[..., 3, :] - [0, 0, 0, 1]).max(axis=-1)
    upright = np.linalg.det(rotation) > 0
    return finite & upright & (error <= tolerance) & (last_row <= tolerance)


def planar(world_from_body: np.ndarray) -> np.ndarray:
    """Keep x, y and yaw of (..., 4, 4) poses: z, roll and pitch become 0 (axes of REP-103).

    Yaw is the heading of the body's x axis; 0 for a body that looks straight up or down.
    """
    pose = np.asarray(world_from_body, float)
    yaw = np.arctan2(pose[..., 1, 0], pose[..., 0, 0])
    flat = np.zeros_like(pose)
    flat[..., 0, 0], flat[..., 0, 1] = np.cos(yaw), -np.sin(yaw)
    flat[..., 1, 0], flat[..., 1, 1] = np.sin(yaw), np.cos(yaw)
    flat[..., 2, 2] = flat[..., 3, 3] = 1.0
    flat[..., :2, 3] = pose[..., :2, 3]
    return flat


def exp_rigid(twist: np.ndarray) -> np.ndarray:
    """Turn (..., 6) twists, linear then angular, into the (..., 4, 4) motions of unit time.

    The body moves with a constant velocity in its own frame: along an arc, not a chord. Formula:
    Murray, Li, Sastry, A Mathematical Introduction to Robotic Manipulation, section 2.3.
    """
    twist = np.asarray(twist, float)
    cross = _cross_matrix(twist[..., 3:])
    angle = np.linalg.norm(twist[..., 3:], axis=-1)[..., None, None]
    sine = np.sinc(angle / np.pi)  # sin(angle) / angle, also at 0
    cosine = 0.5 * np.sinc(angle / (2 * np.pi)) ** 2  # (1 - cos(angle)) / angle^2
    small = angle < 1e-3
    cubic = np.where(small, 1 / 6, (1 - sine) / np.where(small, 1.0, angle) ** 2)
    squared = cross @ cross
    rotation = np.eye(3) + sine * cross + cosine * squared
    left = np.eye(3) + cosine * cross + cubic * squared
    return rigid(rotation, (left @ twist[..., :3, None])[..., 0])


def log_rigid(transform: np.ndarray) -> np.ndarray:
    """Turn (..., 4, 4) motions into (..., 6) twists of unit time, linear then angular.

    Inverse of exp_rigid, with a turn of at most half a revolution.
    """
    transform = np.asarray(transform, float)
    quat = quat_xyzw_from_matrix(transform[..., :3, :3])
    length = np.linalg.norm(quat[..., :3], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(length, quat[..., 3:])
    angular = quat[..., :3] * np.where(length < 1e-9, 2.0, angle / np.maximum(length, 1e-9))
    cross = _cross_matrix(angular)
    half = angle[..., None] / 2
    small = half < 1e-3
    safe = np.where(small, 1.0, half)
    quadratic = np.where(small, 1 / 12, (1 - safe / np.tan(safe)) / (2 * safe) ** 2)
    inverse_left = np.eye(3) - 0.5 * cross + quadratic * (cross @ cross)
    return np.concatenate([(inverse_left @ transform[..., :3, 3:])[..., 0], angular], axis=-1)


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


def _cross_matrix(vector: np.ndarray) -> np.ndarray:
    x, y, z = np.moveaxis(vector, -1, 0)
    zero = np.zeros_like(x)
    rows = [(zero, -z, y), (z, zero, -x), (-y, x, zero)]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def _unit(vector: np.ndarray, reason: str) -> np.ndarray:
    length = np.linalg.norm(vector, axis=-1, keepdims=True)
    if np.any(length < 1e-9):
        raise ValueError(f'a camera cannot look there: {reason}')
    return vector / length
