"""Trajectory errors, by evo, have the values that geometry says."""

import sys

import numpy as np
import pytest

from stream3r_ros.evaluation.trajectory import (
    TrajectoryErrors,
    mean_trajectory,
    trajectory_errors,
)
from stream3r_ros.geometry.rigid import look_at, matrix_from_quat_xyzw, rigid

FRAMES = 12


def needs_evo():
    pytest.importorskip('evo.core.metrics', reason='evo is not installed', exc_type=ImportError)


def circle():
    """Give poses on the unit circle, all turned alike."""
    turn = 2 * np.pi * np.arange(FRAMES) / FRAMES
    positions = np.stack([np.cos(turn), np.sin(turn), np.zeros(FRAMES)], axis=-1)
    return rigid(np.broadcast_to(np.eye(3), (FRAMES, 3, 3)), positions)


def about_y(degrees):
    half = np.radians(degrees) / 2
    quat = np.stack([0 * half, np.sin(half), 0 * half, np.cos(half)], axis=-1)
    return rigid(matrix_from_quat_xyzw(quat), np.zeros(3))


def test_another_world_and_unit_cost_nothing():
    needs_evo()
    true = circle() @ about_y(7.0 * np.arange(FRAMES))
    estimated = look_at([3, 2, 1], [0, 5, 0], [0, 0, 1]) @ true
    estimated[:, :3, 3] *= 0.2
    errors = trajectory_errors(true, estimated)
    assert errors.ate_m < 1e-9
    assert errors.rpe_translation_m < 1e-9
    assert errors.rpe_rotation_deg < 1e-5


def test_a_zigzag_across_the_circle_has_the_errors_of_its_formula():
    """Positions d above and below: the alignment only shrinks them, by s = 1 / (1 + d^2)."""
    needs_evo()
    d = 0.1
    estimated = circle()
    estimated[:, 2, 3] += d * (-1.0) ** np.arange(FRAMES)
    errors = trajectory_errors(circle(), estimated)
    s, chord = 1 / (1 + d**2), 2 * np.sin(np.pi / FRAMES)
    assert errors.ate_m == pytest.approx(d / np.sqrt(1 + d**2))
    assert errors.rpe_translation_m == pytest.approx(np.hypot(2 * d * s, (1 - s) * chord))
    assert errors.rpe_rotation_deg < 1e-5


def test_a_steady_drift_of_rotation_is_its_rate():
    needs_evo()
    errors = trajectory_errors(circle(), circle() @ about_y(2.0 * np.arange(FRAMES)))
    assert errors.rpe_rotation_deg == pytest.approx(2, rel=1e-6)
    assert errors.ate_m < 1e-9


def test_a_camera_that_stands_still_is_a_sentence():
    needs_evo()
    still = np.tile(np.eye(4), (FRAMES, 1, 1))
    with pytest.raises(ValueError, match='the trajectories cannot be aligned'):
        trajectory_errors(circle(), still)


@pytest.mark.parametrize(
    ('estimated', 'message'),
    [
        (circle()[:5], r'poses have shapes \(12, 4, 4\) and \(5, 4, 4\)'),
        (circle() * np.nan, 'some estimated poses are not finite'),
    ],
)
def test_poses_that_do_not_fit_are_a_sentence(estimated, message):
    with pytest.raises(ValueError, match=message):
        trajectory_errors(circle(), estimated)


def test_without_evo_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, 'evo.core.metrics', None)
    with pytest.raises(RuntimeError, match='camera pose evaluation needs evo: python -m pip'):
        trajectory_errors(circle(), circle())


def test_every_sequence_counts_alike():
    mean = mean_trajectory([TrajectoryErrors(1, 2, 3), TrajectoryErrors(3, 2, 1)])
    assert mean == TrajectoryErrors(2, 2, 2)
