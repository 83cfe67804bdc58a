"""Metric scale from odometry, without a network: what is heard, refused and compared."""

import math

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from hypothesis import given
from hypothesis import strategies as st
from nav_msgs.msg import Odometry
from scale_frames import BY_ODOMETRY, FACTOR, anything, frame, thorough
from tf_buffers import SECOND, buffer_of, stamp, transform
from tilted_robot import ROBOT_MOTION, TILTED, settled

from stream3r_ros.geometry.rigid import exp_rigid, invert_rigid, quat_xyzw_from_matrix
from stream3r_ros.node.metric_scale import MetricScale
from stream3r_ros.node.scale_from_odometry import MOST_MESSAGES, HeardOdometry


def odometry(seconds, pose, base='base_link', world='odom') -> Odometry:
    message = Odometry(child_frame_id=base)
    message.header.stamp, message.header.frame_id = stamp(seconds), world
    p, q = message.pose.pose.position, message.pose.pose.orientation
    p.x, p.y, p.z = pose[:3, 3].tolist()
    q.x, q.y, q.z, q.w = quat_xyzw_from_matrix(pose[:3, :3]).tolist()
    return message


def in_the_networks_unit(pose) -> np.ndarray:
    pose = pose.copy()
    pose[:3, 3] /= FACTOR
    return pose


def drive(robot_at, count=20, mount=TILTED, heard=None, say=lambda t: True):
    """Drive with odometry four times a frame; give the scale, what was heard and the ratios."""
    tree = settled(buffer_of(static=[transform('base_link', 'eye', mount)]))
    scale, heard, ratios = MetricScale(tree, BY_ODOMETRY), heard or HeardOdometry(), []
    first = robot_at(0) @ mount
    for n in range(count):
        for quarter in range(4):
            t = n + quarter / 4
            if say(t):
                heard.put(odometry(100 + t, robot_at(t)))
        camera = invert_rigid(first) @ robot_at(n + 0.6) @ mount
        shown = frame(100.6 + n, in_the_networks_unit(camera))
        ratios.append(scale.look(shown, heard, BY_ODOMETRY, 0.02))
    return scale, ratios


def winding(t):
    return exp_rigid(np.array([0.4, 0, 0, 0, 0, 0.3]) * t)


def on_the_spot(t):
    return exp_rigid(np.array([0, 0, 0, 0, 0, 0.3]) * t)


def test_a_winding_way_gives_the_factor_with_the_cameras_own_way():
    scale, ratios = drive(winding)
    now = scale.now
    assert (now.state, now.source, now.segment) == ('metric', 'odometry', 1)
    assert now.factor == pytest.approx(FACTOR, rel=1e-6)
    changes = [ratio for ratio, _ in ratios if ratio != 1.0]
    assert changes == [pytest.approx(FACTOR, rel=1e-6)]
    assert not any(problem for _, problem in ratios)


def test_a_camera_off_the_middle_is_measured_by_its_own_way_when_the_robot_turns():
    assert drive(on_the_spot)[0].now.factor == pytest.approx(FACTOR, rel=1e-6)


@pytest.mark.parametrize('robot_at', [lambda t: np.eye(4), on_the_spot], ids=['still', 'turning'])
def test_standing_still_and_turning_about_the_camera_give_nothing(robot_at):
    above = TILTED.copy()
    above[:2, 3] = 0
    now = drive(robot_at, mount=above)[0].now
    assert (now.factor, now.state, now.segment) == (1.0, 'estimating', 0)
    assert math.isnan(now.sigma)


def test_odometry_of_another_time_or_with_gaps_gives_nothing():
    for say in (lambda t: False, lambda t: t % 1 == 0, lambda t: t > 100):
        now = drive(winding, say=say)[0].now
        assert (now.factor, now.state) == (1.0, 'unknown')


def test_a_robot_without_the_camera_in_tf_is_named():
    scale, heard = MetricScale(settled(buffer_of()), BY_ODOMETRY), HeardOdometry()
    for t in (1.0, 1.2):
        heard.put(odometry(t, np.eye(4)))
    ratio, problem = scale.look(frame(1.1), heard, BY_ODOMETRY, 0.02)
    assert ratio == 1.0
    assert problem.startswith("no scale: TF has no transform from 'base_link'")


def test_a_world_that_begins_anew_is_not_joined_to_the_old_one():
    """As when the wheels' driver is restarted, at the origin."""
    jumped = np.eye(4)
    jumped[:3, 3] = 50, 20, 0
    heard = HeardOdometry()
    heard.put(odometry(1.0, jumped, world='before'))
    heard.put(odometry(1.1, np.eye(4)))
    assert heard.pose_at(1_050_000_000) is None


@st.composite
def odometries(draw) -> Odometry:
    """Make an odometry that is right, with rubbish in up to two places."""
    message = odometry(draw(st.integers(0, 50)) / 10, exp_rigid(np.array(draw(
        st.lists(st.floats(-3, 3), min_size=6, max_size=6)
    ))))  # fmt: skip
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.sampled_from(['x', 'y', 'z', 'qx', 'qw', 'stamp', 'cov', 'frame']))
        if place == 'stamp':
            message.header.stamp = Time(
                sec=draw(st.integers(-(2**31), 2**31 - 1)), nanosec=draw(st.integers(0, 2**32 - 1))
            )
        elif place == 'cov':
            message.pose.covariance[0] = draw(anything)
        elif place == 'frame':
            message.child_frame_id = draw(st.text(max_size=9))
        elif place[0] == 'q':
            setattr(message.pose.pose.orientation, place[1], draw(anything))
        else:
            setattr(message.pose.pose.position, place, draw(anything))
    return message


@thorough
@given(st.lists(odometries(), max_size=12), st.integers(0, 60))
def test_any_odometry_is_taken_or_named_and_poses_are_rigid(messages, at):
    heard = HeardOdometry()
    for message in messages:
        heard.put(message)
        assert '\n' not in heard.take_problem()
    found = heard.pose_at(at * SECOND // 10)
    if found is not None:
        pose = found.world_from_base
        np.testing.assert_allclose(pose[:3, :3] @ pose[:3, :3].T, np.eye(3), atol=1e-6)
        assert np.isfinite(pose).all()


def test_what_cannot_be_true_of_odometry_is_refused_in_a_sentence():
    cases = {
        'its position is not within': ('position', 'x', math.nan),
        'its orientation is no unit quaternion': ('orientation', 'w', 0.0),
        'its orientation has length': ('orientation', 'x', 0.7),
    }
    heard = HeardOdometry()
    for reason, (part, axis, value) in cases.items():
        message = odometry(1.0, np.eye(4))
        setattr(getattr(message.pose.pose, part), axis, value)
        heard.put(message)
        assert heard.take_problem().startswith(f'odometry refused: {reason}')
    lost = odometry(1.0, np.eye(4))
    lost.pose.covariance[0] = 9999.0
    heard.put(lost)
    assert 'the pose is unknown' in heard.take_problem()
    assert heard.pose_at(SECOND) is None
    heard.put(odometry(1.0, np.eye(4)))
    assert not heard.take_problem()
    heard.put(odometry(0.9, np.eye(4)))
    assert 'no later' in heard.take_problem()
    assert not heard.take_problem()


@pytest.mark.parametrize('wrong', [2e9, 0.0, 20.0])
def test_one_stamp_of_another_time_does_not_end_the_odometry(wrong):
    heard = HeardOdometry()
    for t in (5.0, 5.1, wrong, 5.2):
        heard.put(odometry(t, ROBOT_MOTION))
    first, last = heard.pose_at(5_050_000_000), heard.pose_at(5_150_000_000)
    np.testing.assert_allclose(last.world_from_base, ROBOT_MOTION)
    assert first.epoch == last.epoch
    assert 's from the last one' in heard.take_problem()


def test_odometry_that_goes_back_and_stays_begins_another_epoch():
    heard = HeardOdometry()
    for t in (50.0, 50.1):
        heard.put(odometry(t, ROBOT_MOTION))
    before = heard.pose_at(50_050_000_000).epoch
    for t in (1.0, 1.1, 1.2):
        heard.put(odometry(t, ROBOT_MOTION))
    assert heard.pose_at(50_050_000_000) is None
    assert heard.pose_at(1_150_000_000).epoch == before + 1


def test_no_more_odometry_is_kept_than_the_bound():
    heard = HeardOdometry()
    for n in range(MOST_MESSAGES + 10):
        heard.put(odometry(n / 100, np.eye(4)))
    assert heard.pose_at(5 * SECOND // 100) is None
    assert heard.pose_at(10 * SECOND // 100) is not None
