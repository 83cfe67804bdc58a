"""How far estimated depth and poses are from the truth, under one scale for both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream3r_ros.geometry.rigid import invert_rigid

LEAST_EXTENT_M = 1e-6
DELTA = 1.25


@dataclass(frozen=True)
class DepthAccuracy:
    """Errors of depth after multiplying it by `scale`; lower `abs_rel`, higher `delta_1_25`."""

    scale: float
    abs_rel: float
    delta_1_25: float


@dataclass(frozen=True, eq=False)
class PoseAccuracy:
    """Errors of poses relative to the anchor; arrays (S - 1,), a value for each other frame.

    `translation_rel` is a share of `extent_m`, the largest distance between two true positions.
    """

    rotation_deg: np.ndarray
    translation_rel: np.ndarray
    extent_m: float


def depth_accuracy(true: np.ndarray, found: np.ndarray) -> DepthAccuracy:
    """Compare depth (N,) with the truth (N,) after one scale, the median of true over found.

    All depths are finite and positive. Raises ValueError when there are none.
    """
    if not len(true):
        raise ValueError('no pixel has both a true and an estimated depth')
    scale = float(np.median(true / found))
    ratio = scale * found / true
    return DepthAccuracy(
        scale,
        float(np.abs(ratio - 1).mean(dtype=np.float64)),
        float((np.maximum(ratio, 1 / ratio) < DELTA).mean()),
    )


def pose_accuracy(
    true_world_from_camera: np.ndarray, world_from_camera: np.ndarray, scale: float
) -> PoseAccuracy:
    """Compare poses (S, 4, 4), each in a world of its own, relative to the first frame.

    Estimated translations are multiplied by `scale`. Raises ValueError when the true camera does
    not move, since errors are shares of how far it goes.
    """
    true, found = (
        invert_rigid(poses[0]) @ poses for poses in (true_world_from_camera, world_from_camera)
    )
    extent_m = path_extent_m(true[:, :3, 3])
    if extent_m < LEAST_EXTENT_M:
        raise ValueError(f'the camera moves by {extent_m:g} m only: no extent to compare with')
    distance_m = np.linalg.norm(scale * found[:, :3, 3] - true[:, :3, 3], axis=-1)
    rotation_deg = np.degrees(rotation_angles_rad(true[1:, :3, :3], found[1:, :3, :3]))
    return PoseAccuracy(rotation_deg, distance_m[1:] / extent_m, extent_m)


def rotation_angles_rad(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Give the angles (...,) between rotations (..., 3, 3), exact for small ones, too."""
    relative = np.swapaxes(first, -1, -2) @ second
    sine = np.stack(
        [relative[..., i, j] - relative[..., j, i] for i, j in ((2, 1), (0, 2), (1, 0))], axis=-1
    )
    cosine = np.trace(relative, axis1=-2, axis2=-1) - 1
    return np.arctan2(np.linalg.norm(sine, axis=-1), cosine)


def path_extent_m(positions: np.ndarray) -> float:
    """Give the largest distance between two of (S, 3) positions."""
    between = positions[:, None] - positions[None]
    return float(np.linalg.norm(between, axis=-1).max())
