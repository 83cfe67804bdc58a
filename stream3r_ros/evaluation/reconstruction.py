"""Accuracy, completeness and normal consistency of a reconstruction (7-Scenes, NRGBD)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np

from stream3r_ros.evaluation.registration import Registration
from stream3r_ros.evaluation.requirement import require
from stream3r_ros.geometry.rigid import invert_rigid, transform_points

ICP_THRESHOLD_M = 0.1


@dataclass(frozen=True, eq=False)
class PointMaps:
    """A point for every pixel of a few frames, and the first camera.

    `points` is (S, H, W, 3) in a world of its own, `first_world_from_camera` (4, 4) in the same.
    """

    points: np.ndarray
    first_world_from_camera: np.ndarray

    def in_first_camera(self) -> np.ndarray:
        """Give the points (S, H, W, 3) in the first camera's frame."""
        shape = self.points.shape
        moved = transform_points(
            invert_rigid(self.first_world_from_camera), self.points.reshape(-1, 3)
        )
        return moved.reshape(shape)


@dataclass(frozen=True)
class ReconstructionErrors:
    """Distances in metres, normal consistency from 0 to 1."""

    accuracy_mean: float
    accuracy_median: float
    completeness_mean: float
    completeness_median: float
    normal_consistency_mean: float
    normal_consistency_median: float


def reconstruction_errors(
    true: PointMaps,
    predicted: PointMaps,
    valid: np.ndarray,
    window_hw: tuple[int, int],
    registration: Registration,
) -> ReconstructionErrors:
    """Align a prediction with the truth and measure it, as the field does on 7-Scenes and NRGBD.

    `valid` (S, H, W) marks pixels with true depth; `window_hw` is the part in the middle of the
    frames that is measured. Raises ValueError when no pixel is left.
    """
    true_maps, predicted_maps = align_medians(true, predicted, valid)
    window = central_window(valid.shape[1:], window_hw)
    use = valid & np.isfinite(true_maps).all(-1) & np.isfinite(predicted_maps).all(-1)
    use = use[:, window[0], window[1]]
    if not use.any():
        raise ValueError('no pixel in the middle of the frames has both true and predicted depth')
    true_cloud = true_maps[:, window[0], window[1]][use]
    cloud = predicted_maps[:, window[0], window[1]][use]
    pose = registration.align(cloud, true_cloud, ICP_THRESHOLD_M)
    return cloud_errors(true_cloud, transform_points(pose, cloud), registration)


def align_medians(
    true: PointMaps, predicted: PointMaps, valid: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Give true and predicted points (S, H, W, 3) in the true world, alike in depth and spread.

    Both go into their own first camera and lose the median z of their valid points. The
    prediction is then scaled, about the origin that this leaves, by the ratio of the median
    distances from the medians of the axes; the true median z is added to both again.
    """
    if not valid.any():
        raise ValueError('no pixel of the frames has true depth')
    true_points, points = true.in_first_camera(), predicted.in_first_camera()
    true_z = np.nanmedian(true_points[valid][:, 2])
    true_points[..., 2] -= true_z
    points[..., 2] -= np.nanmedian(points[valid][:, 2])
    points *= median_spread(true_points[valid]) / median_spread(points[valid])
    for maps in (true_points, points):
        maps[..., 2] += true_z
    world = true.first_world_from_camera
    return (
        transform_points(world, true_points.reshape(-1, 3)).reshape(true_points.shape),
        transform_points(world, points.reshape(-1, 3)).reshape(points.shape),
    )


def median_spread(points: np.ndarray) -> float:
    """Give the median distance of (N, 3) points from the medians of their axes.

    Raises ValueError where it is 0: such points have no scale.
    """
    spread = float(np.nanmedian(np.linalg.norm(points - np.nanmedian(points, axis=0), axis=-1)))
    if not spread > 0:
        raise ValueError('the points lie in one place: no scale can be told')
    return spread


def central_window(image_hw: Sequence[int], window_hw: tuple[int, int]) -> tuple[slice, slice]:
    """Give the rows and columns of the window in the middle of an image, or all there are."""
    starts = [max((side - part) // 2, 0) for side, part in zip(image_hw, window_hw, strict=True)]
    rows, columns = (
        slice(start, start + part) for start, part in zip(starts, window_hw, strict=True)
    )
    return rows, columns


def cloud_errors(
    true: np.ndarray, predicted: np.ndarray, registration: Registration
) -> ReconstructionErrors:
    """Measure a predicted cloud (N, 3) against the true one (M, 3), as they lie.

    Accuracy is the distance from a predicted point to the nearest true one, completeness the
    other way round, normal consistency |n . n'| over the pairs of both ways.
    """
    spatial = require('scipy.spatial', 'reconstruction')
    to_true, nearest_true = spatial.cKDTree(true).query(predicted, workers=-1)
    to_predicted, nearest_predicted = spatial.cKDTree(predicted).query(true, workers=-1)
    true_normals, normals = registration.normals(true), registration.normals(predicted)
    there = np.abs((normals * true_normals[nearest_true]).sum(-1))
    back = np.abs((true_normals * normals[nearest_predicted]).sum(-1))
    return ReconstructionErrors(
        float(to_true.mean()),
        float(np.median(to_true)),
        float(to_predicted.mean()),
        float(np.median(to_predicted)),
        float(there.mean() + back.mean()) / 2,
        float(np.median(there) + np.median(back)) / 2,
    )


def mean_reconstruction(errors: Sequence[ReconstructionErrors]) -> ReconstructionErrors:
    """Average over scenes, every scene alike."""
    return ReconstructionErrors(*np.mean([astuple(one) for one in errors], axis=0).tolist())
