"""Errors of a camera trajectory, measured by evo (Sintel, TUM dynamic, ScanNet)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np

from stream3r_ros.evaluation.requirement import require
from stream3r_ros.geometry.rigid import invert_rigid, rigid

PURPOSE = 'camera pose evaluation'


@dataclass(frozen=True)
class TrajectoryErrors:
    """Root mean squares: absolute error and errors from frame to frame."""

    ate_m: float
    rpe_translation_m: float
    rpe_rotation_deg: float


def trajectory_errors(true: np.ndarray, estimated: np.ndarray) -> TrajectoryErrors:
    """Compare (N, 4, 4) world_from_camera poses after a similarity alignment of the positions.

    ATE and the relative errors over one frame, all pairs, are taken on the aligned trajectory.
    Raises ValueError for poses that do not fit together or leave the alignment undetermined,
    RuntimeError without evo.
    """
    _check(true, estimated)
    metrics = require('evo.core.metrics', PURPOSE)
    relation = metrics.PoseRelation
    reference, aligned = _aligned(true, estimated)
    steps = {'delta': 1, 'delta_unit': metrics.Unit.frames, 'all_pairs': True}
    measures = (
        metrics.APE(relation.translation_part),
        metrics.RPE(relation.translation_part, **steps),
        metrics.RPE(relation.rotation_angle_deg, **steps),
    )
    for measure in measures:
        measure.process_data((reference, aligned))
    rms = metrics.StatisticsType.rmse
    return TrajectoryErrors(*(float(measure.get_statistic(rms)) for measure in measures))


def mean_trajectory(errors: Sequence[TrajectoryErrors]) -> TrajectoryErrors:
    """Average over sequences, every sequence alike."""
    return TrajectoryErrors(*np.mean([astuple(one) for one in errors], axis=0).tolist())


def _aligned(true: np.ndarray, estimated: np.ndarray) -> tuple:
    """Make evo's trajectories of both, the second moved, turned and scaled onto the first.

    Each starts from its own first camera: the errors do not depend on the choice of the world.
    """
    trajectory = require('evo.core.trajectory', PURPOSE)
    geometry = require('evo.core.geometry', PURPOSE)
    reference, aligned = (
        trajectory.PosePath3D(poses_se3=list(_orthonormal(invert_rigid(poses[0]) @ poses)))
        for poses in (np.asarray(true, float), np.asarray(estimated, float))
    )
    try:
        aligned.align(reference, correct_scale=True)
    except geometry.GeometryException as error:
        raise ValueError(
            f'the trajectories cannot be aligned: {error} (a camera that stands still?)'
        ) from error
    return reference, aligned


def _orthonormal(poses: np.ndarray) -> np.ndarray:
    """Replace the rotations of (N, 4, 4) poses, read from text or float32, by the nearest ones."""
    u, _, vt = np.linalg.svd(poses[:, :3, :3])
    return rigid(u @ vt, poses[:, :3, 3])


def _check(true: np.ndarray, estimated: np.ndarray) -> None:
    if true.shape != estimated.shape or true.shape[1:] != (4, 4) or len(true) < 3:
        raise ValueError(
            f'poses have shapes {true.shape} and {estimated.shape}, expected the same (N, 4, 4) '
            'with at least 3 frames'
        )
    for name, poses in (('true', true), ('estimated', estimated)):
        if not np.isfinite(poses).all():
            raise ValueError(f'some {name} poses are not finite')
