"""Poses of the network become frames of a robot: against poses computed by hand."""

import numpy as np
import pytest
import tf2_ros
from builtin_interfaces.msg import Time
from hypothesis import given, settings
from hypothesis import strategies as st
from tf_buffers import about, buffer_of, stamp, transform
from tilted_robot import (
    CAMERA_MOTION,
    FIRST,
    NAMES,
    ROBOT_MOTION,
    TILTED,
    after_first,
    nobody,
    only,
    rule,
    settled,
    tilted_robot,
)

from stream3r_ros.geometry.rigid import (
    BODY_FROM_OPTICAL,
    exp_rigid,
    invert_rigid,
    matrix_from_quat_xyzw,
    planar,
    rigid,
)
from stream3r_ros.node.frames import FrameNames, FrameTree
from stream3r_ros.node.placement import Placement, PlacementRule, later

# odom_to_base


def test_a_robot_starts_level_where_its_camera_is_tilted():
    placed = tilted_robot().place(stamp(1), 'eye', FIRST, rule())
    parent, child, odom_from_base, _ = only(placed)
    assert (parent, child) == ('odom', 'base_link') == (placed.world_frame, placed.child_frame)
    np.testing.assert_allclose(odom_from_base, np.eye(4), atol=1e-12)
    np.testing.assert_allclose(placed.world_from_optical, TILTED, atol=1e-12)


def test_a_robot_with_a_tilted_camera_is_where_it_drove():
    placed = after_first(tilted_robot(), CAMERA_MOTION, rule())
    np.testing.assert_allclose(only(placed)[2], ROBOT_MOTION, atol=1e-12)
    np.testing.assert_allclose(placed.pose, ROBOT_MOTION, atol=1e-12)
    np.testing.assert_allclose(placed.world_from_optical, ROBOT_MOTION @ TILTED, atol=1e-12)
    assert placed.problem is None and not placed.child_is_optical


def test_a_first_pose_that_is_not_quite_the_identity_moves_the_base_and_not_the_world():
    nearly = exp_rigid([0.01, 0, 0, 0, 0.02, 0])
    placed = tilted_robot().place(stamp(1), 'eye', nearly, rule())
    np.testing.assert_allclose(placed.pose, TILTED @ nearly @ invert_rigid(TILTED), atol=1e-12)


def test_the_stamp_is_the_images_to_the_nanosecond():
    exact = Time(sec=2_000_000_000, nanosec=123_456_789)
    placed = tilted_robot().place(exact, 'eye', FIRST, rule())
    assert only(placed)[3] == exact


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_the_motion_of_any_mount_comes_out_as_the_robots(seed):
    random = np.random.default_rng(seed)
    mount, robot = rigid(
        matrix_from_quat_xyzw(random.standard_normal((2, 4))), random.uniform(-5, 5, (2, 3))
    )
    placement = Placement(settled(buffer_of(static=[transform('base_link', 'eye', mount)])))
    seen = invert_rigid(mount) @ robot @ mount
    placed = after_first(placement, seen, rule())
    np.testing.assert_allclose(placed.pose, robot, atol=1e-6)


# a mount that moves


def panned(degrees):
    """Turn the tilted camera's mast about the base's z axis."""
    return about('z', degrees) @ TILTED


def moving_head():
    return Placement(
        settled(
            buffer_of(
                transform('base_link', 'eye', panned(0), 1),
                transform('base_link', 'eye', panned(60), 3),
            )
        )
    )


def test_a_head_that_pans_does_not_turn_the_robot():
    """At 2 s the head is half way, by the interpolation of TF."""
    camera_motion = invert_rigid(panned(0)) @ panned(30)
    placed = after_first(moving_head(), camera_motion, rule())
    np.testing.assert_allclose(placed.pose[:3, :3], np.eye(3), atol=1e-9)
    # TF moves the camera along the chord of its arc, of which the middle is 0.04 m inside.
    assert np.abs(placed.pose[:3, 3]).max() < 0.05


def test_a_robot_that_drives_while_its_head_pans_is_where_it_drove():
    camera_motion = invert_rigid(panned(0)) @ ROBOT_MOTION @ panned(60)
    placed = after_first(moving_head(), camera_motion, rule(), seconds=3)
    np.testing.assert_allclose(placed.pose, ROBOT_MOTION, atol=1e-9)
    np.testing.assert_allclose(placed.world_from_optical, ROBOT_MOTION @ panned(60), atol=1e-9)


def test_a_head_whose_place_is_not_known_at_the_time_gives_no_pose():
    placed = after_first(moving_head(), FIRST, rule(), seconds=4)
    assert placed.pose is None and placed.transforms == () and placed.new_stream is None
    assert 'frames.base' in placed.problem and 'older' in placed.problem


def test_a_mount_that_comes_late_is_asked_for_the_first_image():
    buffer = tf2_ros.Buffer()
    placement = Placement(FrameTree(buffer))
    assert placement.place(stamp(1), 'eye', FIRST, rule()).pose is None
    buffer.set_transform_static(transform('base_link', 'eye', TILTED), 'test')
    placed = placement.place(stamp(2), 'eye', CAMERA_MOTION, rule())
    np.testing.assert_allclose(placed.pose, ROBOT_MOTION, atol=1e-12)


def test_a_mount_unknown_at_the_first_image_puts_the_world_where_it_was_known_first():
    placement = moving_head()
    assert placement.place(stamp(0.5), 'eye', FIRST, rule()).pose is None
    at_one_second = about('x', 10, (0.1, 0.2, 0.3))  # whatever the network says by then
    placed = placement.place(stamp(1), 'eye', at_one_second, rule())
    np.testing.assert_allclose(placed.pose, np.eye(4), atol=1e-9)
    motion = at_one_second @ invert_rigid(panned(0)) @ ROBOT_MOTION @ panned(60)
    placed = placement.place(stamp(3), 'eye', motion, rule())
    np.testing.assert_allclose(placed.pose, ROBOT_MOTION, atol=1e-9)


# two_d_mode


def test_on_the_floor_only_x_y_and_yaw_are_left():
    tipped = about('y', 15) @ about('x', 5)
    robot = about('z', 40, (2, 1, 0.2)) @ tipped
    seen = invert_rigid(TILTED) @ robot @ TILTED
    placed = after_first(tilted_robot(), seen, rule(two_d_mode=True))
    on_floor = only(placed)[2]
    np.testing.assert_array_equal(on_floor[2], [0, 0, 1, 0])
    np.testing.assert_allclose(on_floor, placed.pose, atol=1e-12)
    np.testing.assert_allclose(on_floor[:2, 3], [2, 1], atol=1e-9)
    heading = robot[:2, 0] / np.linalg.norm(robot[:2, 0])
    np.testing.assert_allclose(on_floor[:2, 0], heading, atol=1e-9)
    np.testing.assert_allclose(placed.world_from_optical, on_floor @ TILTED, atol=1e-9)


def test_a_camera_alone_keeps_its_optical_axes_on_the_floor():
    body = about('z', 90, (1, 2, 3)) @ about('y', 10)
    seen = invert_rigid(BODY_FROM_OPTICAL) @ body @ BODY_FROM_OPTICAL
    placed = after_first(nobody(), seen, rule('world_to_camera', two_d_mode=True))
    expected = about('z', 90, (1, 2, 0)) @ BODY_FROM_OPTICAL
    np.testing.assert_allclose(only(placed)[2], expected, atol=1e-9)


# map_to_odom


def drifted(seconds):
    """Give where the wheels think the robot is: each second 5 degrees and 0.2 m off."""
    return ROBOT_MOTION @ about('z', 5 * seconds, (0.2 * seconds, 0, 0))


@pytest.mark.parametrize('two_d_mode', [False, True])
def test_the_map_corrects_a_drifting_odometry(two_d_mode):
    wheels = [transform('odom', 'base_link', drifted(t), t) for t in (1, 2, 3)]
    placement = tilted_robot(*wheels)
    asked = rule('map_to_odom', two_d_mode)
    placement.place(stamp(1), 'eye', FIRST, asked)
    for seconds in (2, 3):
        placed = placement.place(stamp(seconds), 'eye', CAMERA_MOTION, asked)
        parent, child, map_from_odom, _ = only(placed)
        assert (parent, child) == ('map', 'odom') and placed.world_frame == 'map'
        map_from_base = map_from_odom @ drifted(seconds)  # what a user of TF will multiply
        np.testing.assert_allclose(map_from_base, ROBOT_MOTION, atol=1e-9)
        np.testing.assert_allclose(placed.pose, ROBOT_MOTION, atol=1e-9)


def test_on_the_floor_the_correction_is_flat_though_the_odometry_is_not():
    bumpy = about('z', 30, (3, 0, 0.4)) @ about('x', 8)
    placement = tilted_robot(transform('odom', 'base_link', bumpy, 1))
    placed = placement.place(stamp(1), 'eye', FIRST, rule('map_to_odom', two_d_mode=True))
    expected = invert_rigid(planar(bumpy))
    np.testing.assert_allclose(only(placed)[2], expected, atol=1e-9)
    np.testing.assert_array_equal(only(placed)[2][2], [0, 0, 1, 0])


def test_the_correction_alone_is_dated_ahead():
    placement = tilted_robot(transform('odom', 'base_link', drifted(1), 1))
    placed = placement.place(stamp(1), 'eye', FIRST, rule('map_to_odom', tolerance_s=0.1))
    assert only(placed)[3] == Time(sec=1, nanosec=100_000_000)
    for placement, mode in ((tilted_robot(), 'odom_to_base'), (nobody(), 'world_to_camera')):
        assert only(placement.place(stamp(1), 'eye', FIRST, rule(mode)))[3] == stamp(1)


def test_without_wheels_the_map_says_what_it_misses_and_gives_the_pose():
    placed = tilted_robot().place(stamp(1), 'eye', FIRST, rule('map_to_odom'))
    assert placed.transforms == () and placed.pose is not None
    assert 'frames.odom' in placed.problem and "'odom'" in placed.problem


def test_without_a_base_there_is_no_correction():
    placement = Placement(settled(buffer_of(transform('odom', 'base_link', None, 1))))
    placed = placement.place(stamp(1), 'eye', FIRST, rule('map_to_odom'))
    assert placed.transforms == () and placed.child_frame == 'eye'
    assert 'frames.base' in placed.problem and 'no TF is sent' in placed.problem


@given(st.integers(-(2**31), 2**31 - 1), st.integers(0, 10**9 - 1), st.floats(0, 10))
def test_a_later_stamp_is_a_stamp(sec, nanosec, seconds):
    moved = later(Time(sec=sec, nanosec=nanosec), seconds)
    assert 0 <= moved.nanosec < 10**9
    if moved.sec < 2**31 - 1:
        passed = (moved.sec - sec) * 10**9 + moved.nanosec - nanosec
        assert passed == round(seconds * 1e9)


def test_the_last_stamp_there_is_stays():
    last = 2**31 - 1
    assert later(Time(sec=last, nanosec=999_999_999), 1.0) == Time(sec=last, nanosec=999_999_999)


# world_to_camera, none


def test_a_camera_in_the_hand_has_x_forward_and_z_up_in_the_world():
    ahead_and_up = rigid(np.eye(3), [0, -2, 5])  # optical: 5 forward, 2 up
    placed = after_first(nobody(), ahead_and_up, rule('world_to_camera'))
    parent, child, odom_from_eye, _ = only(placed)
    assert (parent, child) == ('odom', 'eye') and placed.child_is_optical
    np.testing.assert_allclose(odom_from_eye[:3, 3], [5, 0, 2], atol=1e-12)
    quat = placed.transforms[0].transform.rotation
    np.testing.assert_allclose([quat.x, quat.y, quat.z, quat.w], [-0.5, 0.5, -0.5, 0.5])
    np.testing.assert_array_equal(placed.pose, placed.world_from_optical)


def test_with_mode_none_the_pose_is_there_and_tf_is_silent():
    placed = after_first(tilted_robot(), CAMERA_MOTION, rule('none'))
    assert placed.transforms == () and placed.problem is None
    np.testing.assert_allclose(placed.pose, ROBOT_MOTION, atol=1e-12)


# images that name a body


LEVEL_BODY = np.eye(4)


@pytest.mark.parametrize(
    ('case', 'frame', 'base_from_frame', 'names', 'said'),
    [
        ('a body by its axes', 'eye', LEVEL_BODY, NAMES, 'looks straight up'),
        ('a body by its name', 'eye_link', None, NAMES, 'whose name is that of a body'),
        ('a tilted camera', 'eye', TILTED, NAMES, ''),
        ('a body that is named by the user', 'eye', LEVEL_BODY, FrameNames(camera='eye'), ''),
        ('a camera whose frame is unknown', 'eye', None, NAMES, ''),
    ],
)
def test_images_that_name_a_body_are_noticed(case, frame, base_from_frame, names, said):
    static = [transform('tower', 'eye_optical_frame')]
    if base_from_frame is not None:
        static.append(transform('base_link', frame, base_from_frame))
    placement = Placement(settled(buffer_of(static=static)))
    hints = placement.place(stamp(1), frame, FIRST, PlacementRule(names)).hints
    hint = ''.join(text for text in hints if 'frames.camera' in text)
    assert said in hint if said else hint == '', case
    if said:
        assert 'frames.camera' in hint and "'eye_optical_frame'" in hint
