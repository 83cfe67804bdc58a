"""Odometry: twists of known motions, and covariances that grow as confidence falls."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tf_buffers import about, stamp

from stream3r_ros.geometry.rigid import BODY_FROM_OPTICAL, exp_rigid
from stream3r_ros.node.odometry import (
    FIXED_VARIANCE,
    UNKNOWN_VARIANCE,
    Odometer,
    Uncertainty,
)
from stream3r_ros.node.placement import Placed

NOWHERE = Placed('odom', 'base_link')


def placed(pose, world='odom', child='base_link', optical=False):
    return Placed(world, child, optical, pose, pose)


def linear(message):
    v = message.twist.twist.linear
    return [v.x, v.y, v.z]


def angular(message):
    w = message.twist.twist.angular
    return [w.x, w.y, w.z]


def variances(covariance):
    matrix = np.reshape(covariance, (6, 6))
    np.testing.assert_array_equal(matrix, np.diag(np.diag(matrix)))
    return np.diag(matrix)


def circle(seconds, speed=0.5, turn=0.8):
    """Give where a robot is that drives on a circle to the left, from its start at the origin."""
    radius, angle = speed / turn, turn * seconds
    at = (radius * np.sin(angle), radius * (1 - np.cos(angle)), 0)
    return about('z', np.degrees(angle), at)


def drive(odometer, times, pose_at=circle, confidence=5.0, **options):
    return [odometer.message(stamp(t), placed(pose_at(t)), confidence, **options) for t in times]


def test_the_pose_is_the_childs_in_the_world():
    message = Odometer().message(stamp(1.5), placed(about('z', 90, (1, 2, 3))), 5.0)
    assert (message.header.frame_id, message.child_frame_id) == ('odom', 'base_link')
    assert message.header.stamp == stamp(1.5)
    p, q = message.pose.pose.position, message.pose.pose.orientation
    assert (p.x, p.y, p.z) == (1, 2, 3)
    np.testing.assert_allclose([q.x, q.y, q.z, q.w], [0, 0, 0.5**0.5, 0.5**0.5], atol=1e-12)


def test_on_a_circle_the_twist_is_the_known_speed_and_turn():
    for message in drive(Odometer(), [0, 0.1, 0.25, 0.7, 2.0])[1:]:
        np.testing.assert_allclose(linear(message), [0.5, 0, 0], atol=1e-9)
        np.testing.assert_allclose(angular(message), [0, 0, 0.8], atol=1e-9)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_any_constant_twist_comes_out_wherever_the_way_began(seed):
    random = np.random.default_rng(seed)
    start, twist = exp_rigid(random.uniform(-2, 2, 6)), random.uniform(-1, 1, 6)
    message = drive(Odometer(), [1, 1.5], lambda t: start @ exp_rigid(t * twist))[-1]
    np.testing.assert_allclose([*linear(message), *angular(message)], twist, atol=1e-7)


def test_the_first_frame_has_no_twist_and_says_so():
    first = drive(Odometer(), [0])[0]
    assert linear(first) == angular(first) == [0, 0, 0]
    assert set(variances(first.twist.covariance)) == {UNKNOWN_VARIANCE}
    assert max(variances(first.pose.covariance)) < 1


@pytest.mark.parametrize('second', [1.0, 0.5])
def test_a_stamp_that_does_not_increase_gives_no_twist(second):
    message = drive(Odometer(), [1.0, second])[1]
    assert linear(message) == [0, 0, 0]
    assert set(variances(message.twist.covariance)) == {UNKNOWN_VARIANCE}


def test_two_stamps_a_nanosecond_apart_give_finite_numbers():
    message = drive(Odometer(), [1, 1 + 1e-9], lambda t: about('z', 0, (1e9 * (t - 1), 0, 0)))[1]
    assert np.isfinite([*linear(message), *angular(message)]).all()
    assert max(message.twist.covariance) == UNKNOWN_VARIANCE


def test_years_between_two_frames_do_not_make_the_twist_certain():
    message = drive(Odometer(), [0, 2e9], lambda t: np.eye(4))[1]
    assert (variances(message.twist.covariance) == FIXED_VARIANCE).all()


def test_another_child_or_world_or_stream_begins_anew():
    odometer = Odometer()
    drive(odometer, [0])
    for other in (placed(circle(1), child='eye'), placed(circle(2), world='map')):
        message = odometer.message(stamp(1), other, 5.0)
        assert variances(message.twist.covariance)[0] == UNKNOWN_VARIANCE
    drive(odometer, [1])
    odometer.begin()
    assert variances(drive(odometer, [2])[0].twist.covariance)[0] == UNKNOWN_VARIANCE


def test_a_frame_without_a_pose_has_no_odometry_and_the_twist_spans_it():
    odometer = Odometer()
    drive(odometer, [0])
    assert odometer.message(stamp(1), NOWHERE, 5.0) is None
    np.testing.assert_allclose(linear(drive(odometer, [2])[0]), [0.5, 0, 0], atol=1e-9)


# covariance


@given(st.floats(1, 100), st.floats(1, 100))
def test_the_covariance_does_not_fall_as_confidence_falls(first, second):
    low, high = sorted((first, second))
    model = Uncertainty()
    assert (model.pose_variances(low) >= model.pose_variances(high)).all()
    assert (model.twist_variances(low, 0.1) >= model.twist_variances(high, 0.1)).all()


def test_half_of_the_trusted_confidence_has_the_sigma_of_the_model():
    model = Uncertainty(position_m=0.1, rotation_rad=0.02, trusted_confidence=5.0, power=2.0)
    np.testing.assert_allclose(model.pose_variances(9.0), [0.01] * 3 + [0.0004] * 3)
    np.testing.assert_allclose(model.pose_variances(3.0), np.array([0.01] * 3 + [0.0004] * 3) * 16)


@pytest.mark.parametrize('confidence', [1.0, 0.0, -5.0, np.nan, -np.inf, 1 + 1e-15])
def test_a_confidence_that_says_nothing_has_the_most_growth(confidence):
    assert Uncertainty().growth(confidence) == Uncertainty().most_growth


def test_falling_confidence_reaches_the_message():
    sure, unsure = (drive(Odometer(), [0, 1], confidence=c)[1] for c in (9.0, 2.0))
    for part in ('pose', 'twist'):
        before = variances(getattr(sure, part).covariance)
        after = variances(getattr(unsure, part).covariance)
        assert (after > before).all()


def test_an_unsure_scale_makes_the_way_and_the_speed_unsure():
    exact, unsure = (
        drive(Odometer(), [1, 3], lambda t: about('z', 0, (2 * t, 0, 0)), scale_sigma=sigma)[-1]
        for sigma in (0.0, 0.1)
    )
    for part, length in (('pose', 4.0), ('twist', 2.0)):
        before, after = (variances(getattr(m, part).covariance) for m in (exact, unsure))
        expected = [(0.1 * length) ** 2, 0, 0, 0, 0, 0]
        np.testing.assert_allclose(after - before, expected, atol=1e-12)


def test_on_the_floor_what_is_fixed_has_the_variance_of_robot_localization():
    message = drive(Odometer(), [0, 1], two_d_mode=True)[1]
    for part in (message.pose, message.twist):
        found = variances(part.covariance)
        np.testing.assert_array_equal(found[[2, 3, 4]], FIXED_VARIANCE)
        assert (found[[0, 1, 5]] > FIXED_VARIANCE).all()


def test_on_the_floor_a_camera_does_not_move_along_its_y_nor_turn_about_x_and_z():
    odometer = Odometer()
    for t in (0, 1):
        pose = circle(t) @ BODY_FROM_OPTICAL
        message = odometer.message(
            stamp(t), placed(pose, child='eye', optical=True), 5.0, two_d_mode=True
        )
    np.testing.assert_allclose(linear(message), [0, 0, 0.5], atol=1e-9)
    np.testing.assert_allclose(angular(message), [0, -0.8, 0], atol=1e-9)
    fixed = variances(message.twist.covariance) == FIXED_VARIANCE
    assert fixed.tolist() == [False, True, False, True, False, True]


# lost


def test_lost_is_9999_on_every_diagonal():
    odometer = Odometer()
    drive(odometer, [0])
    message = drive(odometer, [1], two_d_mode=True, lost=True)[0]
    for part in (message.pose, message.twist):
        assert set(variances(part.covariance)) == {9999.0}
    assert linear(message) == [0, 0, 0]


def test_lost_without_a_pose_repeats_the_last_one():
    odometer = Odometer()
    assert odometer.message(stamp(0), NOWHERE, 5.0, lost=True) is None
    last = drive(odometer, [1])[0]
    message = odometer.message(stamp(2), NOWHERE, np.nan, lost=True)
    assert message.header.stamp == stamp(2)
    assert message.pose.pose == last.pose.pose


def test_the_first_frame_after_lost_has_no_twist():
    odometer = Odometer()
    drive(odometer, [0])
    drive(odometer, [1], lost=True)
    found, after = drive(odometer, [2, 3])
    assert variances(found.twist.covariance)[0] == UNKNOWN_VARIANCE
    assert variances(found.pose.covariance)[0] < 1
    np.testing.assert_allclose(linear(after), [0.5, 0, 0], atol=1e-9)
