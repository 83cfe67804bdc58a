"""Motions, projections to the floor and the check of rigidity."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream3r_ros.geometry.rigid import (
    BODY_FROM_OPTICAL,
    exp_rigid,
    invert_rigid,
    is_rigid,
    log_rigid,
    matrix_from_quat_xyzw,
    planar,
    quat_xyzw_from_matrix,
    rigid,
)

seeds = st.integers(0, 2**32 - 1)


def random_transforms(seed, count=16):
    random = np.random.default_rng(seed)
    rotation = matrix_from_quat_xyzw(random.standard_normal((count, 4)))
    return rigid(rotation, random.uniform(-9, 9, (count, 3)))


def turned(yaw, x=0.0, y=0.0):
    c, s = np.cos(yaw), np.sin(yaw)
    return np.array([[c, -s, 0, x], [s, c, 0, y], [0, 0, 1, 0], [0, 0, 0, 1]])


def test_the_optical_frame_is_the_quaternion_of_rep_103():
    np.testing.assert_allclose(
        BODY_FROM_OPTICAL[:3, :3], matrix_from_quat_xyzw([-0.5, 0.5, -0.5, 0.5]), atol=1e-12
    )
    np.testing.assert_allclose(
        np.abs(quat_xyzw_from_matrix(BODY_FROM_OPTICAL[:3, :3])), [0.5, 0.5, 0.5, 0.5]
    )
    np.testing.assert_array_equal(BODY_FROM_OPTICAL[:3, 2], [1, 0, 0])  # forward
    np.testing.assert_array_equal(BODY_FROM_OPTICAL[:3, 1], [0, 0, -1])  # down
    with pytest.raises(ValueError, match='read-only'):
        BODY_FROM_OPTICAL[0, 0] = 1


@given(seeds)
def test_a_motion_comes_back_from_its_twist(seed):
    transforms = random_transforms(seed)
    np.testing.assert_allclose(exp_rigid(log_rigid(transforms)), transforms, atol=1e-6)


@given(seeds, st.sampled_from([1e-12, 1e-6, 1e-4, 1e-3, 1e-2, 1.0]))
def test_a_twist_comes_back_from_its_motion(seed, size):
    random = np.random.default_rng(seed)
    angular = random.uniform(-1, 1, (16, 3)) * size
    twist = np.concatenate([random.uniform(-2, 2, (16, 3)), angular], axis=-1)
    np.testing.assert_allclose(log_rigid(exp_rigid(twist)), twist, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize('axis', np.eye(3))
def test_half_a_revolution_has_a_twist(axis):
    motion = exp_rigid(np.concatenate([[1, 2, 3], np.pi * axis]))
    np.testing.assert_allclose(exp_rigid(log_rigid(motion)), motion, atol=1e-9)
    assert np.linalg.norm(log_rigid(motion)[3:]) == pytest.approx(np.pi)


@given(seeds, st.floats(-2, 2), st.floats(-2, 2))
def test_motions_with_one_twist_add_up_their_times(seed, first, second):
    twist = np.random.default_rng(seed).uniform(-1, 1, 6)
    np.testing.assert_allclose(
        exp_rigid(first * twist) @ exp_rigid(second * twist),
        exp_rigid((first + second) * twist),
        atol=1e-9,
    )


def test_a_quarter_of_a_circle_ends_where_geometry_says():
    """With 1 m/s and a quarter turn in one second, the radius is 2 / pi m."""
    radius = 2 / np.pi
    motion = exp_rigid([1, 0, 0, 0, 0, np.pi / 2])
    np.testing.assert_allclose(motion, turned(np.pi / 2, radius, radius), atol=1e-12)


def test_no_turn_is_a_straight_way():
    np.testing.assert_allclose(exp_rigid([1, 2, 3, 0, 0, 0]), rigid(np.eye(3), [1, 2, 3]))
    np.testing.assert_array_equal(log_rigid(np.eye(4)), np.zeros(6))


@given(seeds)
def test_a_projected_pose_is_on_the_floor_and_stays_there(seed):
    flat = planar(random_transforms(seed))
    assert is_rigid(flat).all()
    np.testing.assert_array_equal(flat[:, 2], np.tile([0.0, 0, 1, 0], (16, 1)))
    np.testing.assert_allclose(planar(flat), flat, atol=1e-12)


@given(st.floats(-3.1, 3.1), st.floats(-1.4, 1.4), st.floats(-3.1, 3.1))
def test_a_projection_keeps_place_and_heading(yaw, pitch, roll):
    pitched = exp_rigid([0, 0, 0, 0, pitch, 0])
    rolled = exp_rigid([0, 0, 0, roll, 0, 0])
    pose = rigid(np.eye(3), [3, -2, 7]) @ turned(yaw) @ pitched @ rolled
    np.testing.assert_allclose(planar(pose), turned(yaw, 3, -2), atol=1e-9)


@given(seeds)
def test_rotations_with_places_are_rigid(seed):
    transforms = random_transforms(seed)
    assert is_rigid(transforms).all()
    assert is_rigid(invert_rigid(transforms)).all()


@pytest.mark.parametrize(
    'entry, value', [((0, 3), np.nan), ((1, 1), np.inf), ((0, 0), 1.01), ((3, 0), 0.1)]
)
def test_other_matrices_are_not_rigid(entry, value):
    broken = np.eye(4)
    broken[entry] = value
    assert not is_rigid(broken)


def test_mirrors_zeros_and_giants_are_not_rigid():
    assert not is_rigid(np.diag([1.0, 1, -1, 1]))
    assert not is_rigid(np.zeros((4, 4)))
    assert not is_rigid(np.diag([1e300, 1e300, 1e300, 1]))
    assert is_rigid(np.stack([np.eye(4), np.zeros((4, 4))])).tolist() == [True, False]
