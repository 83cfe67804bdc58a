"""Accuracy, completeness and normal consistency have the values that geometry says."""

import numpy as np
import pytest

from stream3r_ros.evaluation.reconstruction import (
    PointMaps,
    ReconstructionErrors,
    align_medians,
    central_window,
    cloud_errors,
    mean_reconstruction,
    reconstruction_errors,
)
from stream3r_ros.evaluation.registration import ScipyRegistration
from stream3r_ros.geometry.rigid import look_at, transform_points

SCIPY = ScipyRegistration()
HW = (40, 50)


def plane(side=41, spacing=0.05):
    axis = (np.arange(side) - side // 2) * spacing
    return np.stack([*np.meshgrid(axis, axis), np.zeros((side, side))], axis=-1).reshape(-1, 3)


def scene(frames=2):
    """Give points (S, H, W, 3) of a wavy surface and the pose of a camera before it."""
    world = look_at([0.3, -0.2, -2], [0, 0.1, 1], [0, -1, 0])
    v, u = (np.indices(HW) / 25) - 0.8
    maps = [
        np.stack([u + 0.1 * s, v, 2 + 0.3 * np.sin(3 * u) * np.cos(2 * v)], -1)
        for s in range(frames)
    ]
    return PointMaps(transform_points(world, np.reshape(maps, (-1, 3))).reshape(-1, *HW, 3), world)


def in_other_words(true, factor, shift=(0, 0, 0)):
    """Tell the same scene in another world and unit, with a shift in the first camera."""
    other = look_at([5, 6, 7], [1, 2, -3], [0, 0, 1])
    points = true.in_first_camera().reshape(-1, 3) * factor + np.asarray(shift)
    return PointMaps(transform_points(other, points).reshape(true.points.shape), other)


def measured(true, predicted, valid=None, window_hw=HW):
    valid = np.ones(true.points.shape[:3], bool) if valid is None else valid
    return reconstruction_errors(true, predicted, valid, window_hw, SCIPY)


def test_the_truth_has_no_error():
    errors = cloud_errors(plane(), plane(), SCIPY)
    assert errors == ReconstructionErrors(0, 0, 0, 0, pytest.approx(1), pytest.approx(1))


def test_a_shift_along_the_normal_is_the_distance_both_ways():
    errors = cloud_errors(plane(), plane() + [0, 0, 0.03], SCIPY)
    distances = (errors.accuracy_mean, errors.accuracy_median, errors.completeness_mean)
    assert distances == pytest.approx((0.03, 0.03, 0.03))
    assert errors.normal_consistency_mean == pytest.approx(1)


def test_outliers_raise_the_mean_of_accuracy_alone():
    outliers = np.tile([[0.0, 0.0, 1.0]], (len(plane()) // 9, 1))
    errors = cloud_errors(plane(), np.concatenate([plane(), outliers]), SCIPY)
    share = len(outliers) / (len(outliers) + len(plane()))
    assert errors.accuracy_mean == pytest.approx(share)
    assert errors.accuracy_median == errors.completeness_mean == 0


def test_a_missing_half_lowers_completeness_alone():
    half = plane()[plane()[:, 0] <= 0]
    errors = cloud_errors(plane(), half, SCIPY)
    # 21 of 41 columns are there; the others lie 1 to 20 spacings away.
    assert errors.accuracy_mean == 0
    assert errors.completeness_mean == pytest.approx(0.05 * 210 / 41)
    assert errors.completeness_median == 0


def test_a_plane_tilted_by_30_degrees_has_the_normal_consistency_of_its_cosine():
    turn = np.radians(30)
    tilted = plane() @ np.array(
        [[1, 0, 0], [0, np.cos(turn), -np.sin(turn)], [0, np.sin(turn), np.cos(turn)]]
    )
    errors = cloud_errors(plane(), tilted, SCIPY)
    assert errors.normal_consistency_mean == pytest.approx(np.cos(turn))
    assert errors.normal_consistency_median == pytest.approx(np.cos(turn))


@pytest.mark.parametrize('shift', [(0, 0, 0), (0, 0, 1.5)])
def test_another_unit_another_world_and_a_shift_in_depth_cost_nothing(shift):
    true = scene()
    errors = measured(true, in_other_words(true, 0.37, shift))
    assert errors.accuracy_mean < 1e-9
    assert errors.completeness_mean < 1e-9
    # Of the equally near pixels of a grid, rounding picks other ones in another unit.
    assert errors.normal_consistency_mean == pytest.approx(1, abs=1e-3)


def test_a_shift_aside_is_left_to_icp():
    true = scene()
    predicted = in_other_words(true, 1, (0.004, -0.003, 0))
    valid = np.ones((2, *HW), bool)
    offset = np.subtract(*align_medians(true, predicted, valid)[::-1])
    np.testing.assert_allclose(np.linalg.norm(offset, axis=-1), 0.005, atol=1e-9)
    assert measured(true, predicted).accuracy_mean < 1e-9


def test_invalid_pixels_and_those_outside_the_middle_do_not_count():
    true, predicted = scene(), in_other_words(scene(), 2)
    valid = np.ones((2, *HW), bool)
    predicted.points[:, :5] += 50
    predicted.points[0, 20, 25] = np.nan
    true.points[1, 21, 25] = np.nan
    valid[1, 21, 25] = False
    predicted.points[1, 21, 25] = 1e3
    assert measured(true, predicted, valid, (20, 20)).accuracy_mean < 0.05
    assert measured(true, predicted, valid, HW).accuracy_mean > 0.5


def test_nothing_valid_is_a_sentence():
    valid = np.zeros((2, *HW), bool)
    with pytest.raises(ValueError, match='no pixel of the frames has true depth'):
        measured(scene(), scene(), valid)
    valid[0, 0, 0] = True
    with pytest.raises(ValueError, match='the points lie in one place'):
        measured(scene(), scene(), valid)
    valid[0, 0] = True
    with pytest.raises(ValueError, match='no pixel in the middle of the frames'):
        measured(scene(), scene(), valid, (10, 10))


def test_the_window_lies_in_the_middle_and_never_outside():
    assert central_window((392, 518), (224, 224)) == (slice(84, 308), slice(147, 371))
    rows, columns = central_window((84, 112), (300, 56))
    assert (np.zeros((84, 112))[rows, columns]).shape == (84, 56)


def test_every_scene_counts_alike():
    one = ReconstructionErrors(1, 2, 3, 4, 5, 6)
    other = ReconstructionErrors(3, 2, 1, 0, 7, 8)
    assert mean_reconstruction([one, other]) == ReconstructionErrors(2, 2, 2, 2, 6, 7)
