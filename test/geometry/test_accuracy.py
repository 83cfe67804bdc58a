"""Accuracy has the values that geometry says; see also the synthetic evaluation's tests."""

import numpy as np
import pytest

from stream3r_ros.geometry.accuracy import depth_accuracy, pose_accuracy, rotation_angles_rad
from stream3r_ros.geometry.rigid import look_at, matrix_from_quat_xyzw, rigid


def about_y(degrees):
    half = np.radians(degrees) / 2
    return rigid(matrix_from_quat_xyzw(np.array([0, np.sin(half), 0, np.cos(half)])), np.zeros(3))


def walk(frames=5, step_m=0.5):
    return np.stack(
        [look_at([step_m * s, 0, 0], [step_m * s, 0, 3], [0, -1, 0]) for s in range(frames)]
    )


@pytest.mark.parametrize('degrees', [0, 1e-6, 1, 90, 179.9, 180])
def test_angles_are_exact_from_nothing_to_a_half_turn(degrees):
    angle = rotation_angles_rad(np.eye(3), about_y(degrees)[:3, :3])
    assert np.degrees(angle) == pytest.approx(degrees, rel=1e-6, abs=1e-9)


def test_one_scale_is_found_and_outliers_count_as_errors():
    true = np.linspace(1, 4, 1000)
    found = true / 3
    found[::10] *= 1.5
    errors = depth_accuracy(true, found)
    assert errors.scale == pytest.approx(3)
    assert errors.abs_rel == pytest.approx(0.1 * 0.5)
    assert errors.delta_1_25 == pytest.approx(0.9)


def test_no_depth_at_all_is_a_sentence():
    with pytest.raises(ValueError, match='no pixel has both'):
        depth_accuracy(np.zeros(0), np.zeros(0))


def test_poses_are_compared_relative_to_the_first_in_shares_of_the_extent():
    poses = walk()
    found = look_at([9, 8, 7], [0, 1, 0], [0, 0, 1]) @ poses
    found[2] = found[2] @ about_y(7)
    found[3, :3, 3] += found[3, :3, 0] * 0.1
    found[:, :3, 3] /= 4
    errors = pose_accuracy(poses, found, 4.0)
    np.testing.assert_allclose(errors.rotation_deg, [0, 7, 0, 0], atol=1e-6)
    np.testing.assert_allclose(errors.translation_rel, [0, 0, 0.1 / 2, 0], atol=1e-9)
    assert errors.extent_m == pytest.approx(2)


def test_a_camera_that_stands_still_is_a_sentence():
    with pytest.raises(ValueError, match='no extent to compare with'):
        pose_accuracy(walk(step_m=0.0), walk(), 1.0)
