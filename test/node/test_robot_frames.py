"""TF and odometry of a robot whose camera is tilted, over real topics between processes."""

import numpy as np
import pytest
from lifecycle_msgs.msg import Transition
from node_harness import picture
from robot import (
    OPTICAL,
    Frames,
    camera_on_robot,
    frames_heard,
    matrix_of,
    publish_until,
    running,
    stamp_ns,
    stamp_of,
)

from stream3r_ros.geometry.rigid import rigid

pytestmark = pytest.mark.timeout(180)
MOUNT = camera_on_robot(np.radians(20), 0.3, 0.5)


def turned(yaw_rad: float, x: float = 0.0, y: float = 0.0) -> np.ndarray:
    c, s = np.cos(yaw_rad), np.sin(yaw_rad)
    return rigid(np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]]), np.array([x, y, 0.0]))


def start_with_base(robot, frames, key=('odom', 'base_link')) -> int:
    """Mount the camera, and wait until a stream has begun with it; give its last stamp."""
    frames.mount(MOUNT)
    stamp = publish_until(robot, lambda stamp: key in frames_heard(robot, stamp), str(key))
    robot.reset_stream()
    robot.clear()
    return stamp


def test_the_base_moves_as_the_tilted_camera_on_it_says(own_domain):
    with running(own_domain) as (robot, _):
        start_with_base(robot, Frames(robot))
        stamps = [robot.publish_and_wait(picture(seed)) for seed in range(4)]
        poses = [matrix_of(robot.answer(stamp, 'pose').pose.pose) for stamp in stamps]
        # T_odom_base(0) is the identity: odom is level although the camera is not. The network
        # puts the first camera at its own origin, to a few millimetres.
        np.testing.assert_allclose(poses[0], MOUNT, atol=0.05)
        for stamp, pose in zip(stamps, poses, strict=True):
            sent = frames_heard(robot, stamp)
            assert set(sent) == {('odom', 'base_link')}
            # The base is where the camera sits on it: by the inverse of the mount, by hand.
            expected = pose @ np.linalg.inv(MOUNT)
            np.testing.assert_allclose(sent['odom', 'base_link'], expected, atol=1e-6)
            odometry = robot.answer(stamp, 'odom')
            assert (odometry.header.frame_id, odometry.child_frame_id) == ('odom', 'base_link')
            np.testing.assert_allclose(matrix_of(odometry.pose.pose), expected, atol=1e-6)


def test_the_twist_is_the_way_from_pose_to_pose_in_the_robots_axes(own_domain):
    with running(own_domain) as (robot, _):
        start_with_base(robot, Frames(robot))
        stamps = [robot.publish_and_wait(picture(seed)) for seed in range(3)]
        first, second = (matrix_of(robot.answer(stamp, 'odom').pose.pose) for stamp in stamps[-2:])
        twist = robot.answer(stamps[-1], 'odom').twist
        seconds = (stamps[-1] - stamps[-2]) / 1e9
        step = np.linalg.inv(first) @ second
        linear = np.array([twist.twist.linear.x, twist.twist.linear.y, twist.twist.linear.z])
        # Of a small step the logarithm's translation is the step itself, to second order.
        angle = np.arccos(np.clip((np.trace(step[:3, :3]) - 1) / 2, -1, 1))
        np.testing.assert_allclose(
            np.linalg.norm(linear) * seconds, np.linalg.norm(step[:3, 3]),
            rtol=max(1e-6, angle**2),
        )  # fmt: skip
        angular = [twist.twist.angular.x, twist.twist.angular.y, twist.twist.angular.z]
        np.testing.assert_allclose(np.linalg.norm(angular) * seconds, angle, atol=1e-6)
        variances = np.diag(np.reshape(twist.covariance, (6, 6)))
        assert (variances > 0).all()
        assert (variances < 9999).all()


def test_two_d_mode_keeps_the_robot_on_the_floor_in_everything_that_is_published(own_domain):
    with running(own_domain, two_d_mode=True) as (robot, _):
        start_with_base(robot, Frames(robot))
        stamps = [robot.publish_and_wait(picture(seed)) for seed in range(3)]
        for stamp in stamps:
            moved = frames_heard(robot, stamp)['odom', 'base_link']
            np.testing.assert_allclose(moved[2, :], [0, 0, 1, 0], atol=1e-9)
            np.testing.assert_allclose(moved[:, 2], [0, 0, 1, 0], atol=1e-9)
            np.testing.assert_allclose(
                matrix_of(robot.answer(stamp, 'odom').pose.pose), moved, atol=1e-9
            )
            np.testing.assert_allclose(
                matrix_of(robot.answer(stamp, 'pose').pose.pose), moved @ MOUNT, atol=1e-6
            )


def test_map_to_odom_takes_back_the_drift_of_somebody_elses_odometry(own_domain):
    silent = ('tf', 'pose', 'odom')  # until there is an odometry
    with running(own_domain, silent, tf__mode='map_to_odom') as (robot, _):
        frames = Frames(robot)
        frames.mount(MOUNT)
        drift = {}
        for n in range(40):
            stamp = robot.next_stamp()
            drift[stamp] = turned(0.1 * n, 0.2 * n, -0.05 * n)
            for around in (stamp - 1_000_000, stamp, stamp + 1_000_000):
                frames.move('odom', 'base_link', drift[stamp], around)
            robot.publish(picture(n), stamp_ns=stamp)
            robot.settle()
            if len(robot.messages('pose')) >= 6:
                break
        assert all(pose.header.frame_id == 'map' for pose in robot.messages('pose'))
        sent = {
            (t.header.frame_id, t.child_frame_id, stamp_ns(t)): matrix_of(t.transform)
            for message in robot.messages('tf')
            for t in message.transforms
        }
        assert ('map', 'base_link') not in {key[:2] for key in sent}
        checked = 0
        for pose in robot.messages('pose'):
            stamp = stamp_ns(pose)
            # tf.tolerance: the one transform that is dated ahead.
            map_from_odom = sent.get(('map', 'odom', stamp + 100_000_000))
            if map_from_odom is not None:
                expected = matrix_of(pose.pose.pose) @ np.linalg.inv(MOUNT)
                np.testing.assert_allclose(map_from_odom @ drift[stamp], expected, atol=1e-5)
                checked += 1
        assert checked >= 3


def test_world_to_camera_sends_the_camera_itself_without_waiting_for_a_base(own_domain):
    with running(own_domain, tf__mode='world_to_camera') as (robot, _):
        stamp = robot.publish_and_wait(picture())
        robot.answer(stamp, 'tf')
        assert set(frames_heard(robot, stamp)) == {('odom', OPTICAL)}


def test_none_leaves_tf_alone_and_odometry_goes_on(own_domain):
    with running(own_domain, frames__base='body') as (robot, _):
        Frames(robot).mount(MOUNT, base='body')
        assert robot.set_parameters(tf__mode='none').successful
        robot.publish_and_wait(picture())
        robot.clear()
        stamp = robot.publish_and_wait(picture(1))
        odometry = robot.answer(stamp, 'odom')
        assert odometry.header.stamp == stamp_of(stamp)
        assert not frames_heard(robot, stamp)


def test_a_missing_base_is_named_once_and_the_camera_goes_on_without_it(own_domain):
    with running(own_domain, frames__base='chassis') as (robot, process):
        stamp = publish_until(
            robot, lambda stamp: frames_heard(robot, stamp), 'a transform without a base'
        )
        assert set(frames_heard(robot, stamp)) == {('odom', OPTICAL)}
        output = process.wait_for_output("frames.base 'chassis'")
        assert output.count('TF knows no way') == 1
        robot.answer(stamp, 'points')
        robot.reset_stream()
        for transition in ('DEACTIVATE', 'CLEANUP', 'CONFIGURE', 'ACTIVATE'):
            assert robot.transition(getattr(Transition, f'TRANSITION_{transition}'))
        publish_until(robot, lambda stamp: frames_heard(robot, stamp), 'a transform of a new one')
        assert process.output().count('TF knows no way') == 1


def test_names_get_the_prefix_and_a_frame_from_the_header_does_not(own_domain):
    with running(own_domain, frame_prefix='r1/') as (robot, _):
        frames = Frames(robot)
        frames.mount(MOUNT, base='r1/base_link')
        stamp = publish_until(
            robot, lambda s: ('r1/odom', 'r1/base_link') in frames_heard(robot, s), 'r1/odom'
        )
        assert robot.answer(stamp, 'points').header.frame_id == OPTICAL
