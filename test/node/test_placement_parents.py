"""Each frame has one parent, bad input has none, and a stream has one world."""

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
    ROBOT_MOTION,
    TILTED,
    after_first,
    nobody,
    only,
    rule,
    settled,
    tilted_robot,
)

from stream3r_ros.geometry.rigid import BODY_FROM_OPTICAL, invert_rigid
from stream3r_ros.node.frames import FrameTree
from stream3r_ros.node.placement import Placement


def test_without_a_base_the_camera_is_published_and_one_sentence_says_why():
    placed = after_first(nobody(), FIRST, rule())
    assert only(placed)[:2] == ('odom', 'eye')
    np.testing.assert_allclose(placed.pose, BODY_FROM_OPTICAL, atol=1e-12)
    for word in ('frames.base', "'base_link'", "'eye'"):
        assert word in placed.hints[0]
    assert placed.problem is None and len(placed.hints) == 1


def test_what_is_sent_of_a_camera_alone_is_known_as_the_nodes_own():
    trees = settled(tf2_ros.Buffer()), settled(buffer_of(static=[transform('base_link', 'eye')]))
    for tree, is_alone in zip(trees, (True, False), strict=True):
        sent = Placement(tree).place(stamp(1), 'eye', FIRST, rule()).transforms[0]
        assert tree.is_own(sent) == is_alone


def test_at_first_the_base_is_waited_for_without_tf():
    now = [0.0]
    placement = Placement(FrameTree(tf2_ros.Buffer(), clock=lambda: now[0]))
    placed = placement.place(stamp(1), 'eye', FIRST, rule())
    assert placed.pose is None and placed.transforms == ()
    assert placed.problem is None  # it may come: one sentence, once it has not
    now[0] = 5.0
    assert only(placement.place(stamp(2), 'eye', FIRST, rule()))[:2] == ('odom', 'eye')


def test_a_base_that_appears_begins_a_new_stream_and_the_camera_has_one_parent():
    buffer = tf2_ros.Buffer()
    placement = Placement(settled(buffer))
    assert only(placement.place(stamp(1), 'eye', FIRST, rule()))[:2] == ('odom', 'eye')
    buffer.set_transform_static(transform('base_link', 'eye', TILTED), 'test')
    asked = placement.place(stamp(2), 'eye', CAMERA_MOTION, rule())
    assert asked.transforms == () and asked.pose is None and 'base_link' in asked.new_stream
    placement.begin()
    placed = placement.place(stamp(3), 'eye', FIRST, rule())
    assert only(placed)[:2] == ('odom', 'base_link') and placed.new_stream is None
    np.testing.assert_allclose(placed.pose, np.eye(4), atol=1e-12)


def test_a_second_camera_that_has_a_base_does_not_ask_for_streams_again_and_again():
    placement = tilted_robot()
    assert only(placement.place(stamp(1), 'loose', FIRST, rule()))[:2] == ('odom', 'loose')
    for seconds in (2, 3):
        placed = placement.place(stamp(seconds), 'eye', FIRST, rule())
        assert placed.pose is None and placed.new_stream is None and "'loose'" in placed.problem


def test_a_stream_that_began_with_a_base_does_not_go_on_without():
    placement = tilted_robot()
    placement.place(stamp(1), 'eye', FIRST, rule())
    placed = placement.place(stamp(2), 'elsewhere', FIRST, rule())
    assert placed.pose is None and placed.transforms == () and placed.new_stream is None


def test_two_cameras_of_one_stream_place_the_same_base():
    left = about('z', 45, (0.2, 0.2, 0.4)) @ BODY_FROM_OPTICAL
    mounts = [transform('base_link', 'eye', TILTED), transform('base_link', 'left', left)]
    placement = Placement(settled(buffer_of(static=mounts)))
    placement.place(stamp(1), 'eye', FIRST, rule())
    seen = invert_rigid(TILTED) @ ROBOT_MOTION @ left
    placed = placement.place(stamp(1), 'left', seen, rule())
    np.testing.assert_allclose(placed.pose, ROBOT_MOTION, atol=1e-12)


@pytest.mark.parametrize('mode', ['odom_to_base', 'world_to_camera'])
def test_a_camera_below_a_link_of_its_own_is_left_there(mode):
    placement = Placement(settled(buffer_of(static=[transform('camera_link', 'eye')])))
    placed = placement.place(stamp(1), 'eye', FIRST, rule(mode))
    assert placed.transforms == () and placed.pose is not None
    assert "set frames.base to 'camera_link'" in placed.problem


def test_a_base_below_a_footprint_is_left_there():
    placement = Placement(
        settled(
            buffer_of(
                static=[
                    transform('base_footprint', 'base_link'),
                    transform('base_link', 'eye', TILTED),
                ]
            )
        )
    )
    placed = placement.place(stamp(1), 'eye', FIRST, rule())
    assert placed.transforms == () and "set frames.base to 'base_footprint'" in placed.problem


def test_a_robot_that_somebody_else_places_is_left_to_them():
    placement = tilted_robot(
        transform('odom', 'base_footprint', seconds=1),
        transform('base_footprint', 'base_link', seconds=1),
    )
    placed = placement.place(stamp(1), 'eye', FIRST, rule())
    assert placed.transforms == () and 'map_to_odom' in placed.problem


def test_another_mode_begins_a_new_stream_where_the_world_becomes_another():
    placement = tilted_robot(transform('odom', 'base_link', None, 2))
    placement.place(stamp(1), 'eye', FIRST, rule())
    assert placement.place(stamp(2), 'eye', FIRST, rule('none')).new_stream is None
    asked = placement.place(stamp(2), 'eye', FIRST, rule('map_to_odom'))
    assert asked.new_stream == 'tf.mode became map_to_odom' and asked.transforms == ()
    assert only(placement.place(stamp(2), 'eye', FIRST, rule('map_to_odom')))[0] == 'map'


# bad input


@pytest.mark.parametrize('mode', ['odom_to_base', 'map_to_odom', 'world_to_camera', 'none'])
@given(
    st.sampled_from([(0, 3), (1, 1), (3, 3)]),
    st.sampled_from([np.nan, np.inf, -np.inf, 1e30, 1e300]),
)
@settings(max_examples=15, deadline=None)
def test_a_pose_that_is_none_is_not_published(mode, entry, value):
    broken = np.eye(4)
    broken[entry] = value
    placed = after_first(tilted_robot(transform('odom', 'base_link', None, 2)), broken, rule(mode))
    assert placed.pose is None and placed.world_from_optical is None and placed.transforms == ()
    assert 'the network gave one' in placed.problem


@pytest.mark.parametrize('bad', [Time(sec=-1), Time(sec=1, nanosec=2**32 - 1)])
def test_an_impossible_stamp_gives_no_pose(bad):
    placed = tilted_robot().place(bad, 'eye', FIRST, rule())
    assert placed.pose is None and 'stamp' in placed.problem


@pytest.mark.parametrize('frame', ['map', 'odom', 'base_link'])
def test_an_image_in_a_frame_that_is_no_camera_gives_no_pose(frame):
    placed = tilted_robot().place(stamp(1), frame, FIRST, rule())
    assert placed.pose is None and 'frames.camera' in placed.problem
