"""Rigid transforms obey their group laws and the conventions of their names."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream3r_ros.geometry.rigid import (
    invert_rigid,
    look_at,
    matrix_from_quat_xyzw,
    quat_xyzw_from_matrix,
    rigid,
    transform_points,
)

seeds = st.integers(0, 2**32 - 1)


def random_quats(seed, count=16):
    quats = np.random.default_rng(seed).standard_normal((count, 4))
    return quats / np.linalg.norm(quats, axis=-1, keepdims=True)


def random_transforms(seed):
    translation = np.random.default_rng(seed).uniform(-9, 9, (16, 3))
    return rigid(matrix_from_quat_xyzw(random_quats(seed)), translation)


@given(seeds)
def test_quaternions_come_back_up_to_their_sign(seed):
    quats = random_quats(seed)
    back = quat_xyzw_from_matrix(matrix_from_quat_xyzw(quats))
    np.testing.assert_allclose(back, np.where(quats[:, 3:] < 0, -quats, quats), atol=1e-7)


@pytest.mark.parametrize('axis', range(3))
def test_half_turns_have_a_quaternion(axis):
    rotation = -np.eye(3)
    rotation[axis, axis] = 1
    np.testing.assert_allclose(np.abs(quat_xyzw_from_matrix(rotation)), np.eye(4)[axis])


def test_a_quarter_turn_about_z_takes_x_to_y():
    half = np.sqrt(0.5)
    rotation = matrix_from_quat_xyzw([0, 0, half, half])
    np.testing.assert_allclose(rotation @ [1, 0, 0], [0, 1, 0], atol=1e-12)


@given(seeds, st.floats(0.01, 100))
def test_the_length_of_a_quaternion_does_not_matter(seed, length):
    quats = random_quats(seed)
    np.testing.assert_allclose(
        matrix_from_quat_xyzw(length * quats), matrix_from_quat_xyzw(quats), atol=1e-9
    )


@given(seeds)
def test_rotations_are_orthonormal_and_right_handed(seed):
    rotation = matrix_from_quat_xyzw(random_quats(seed))
    np.testing.assert_allclose(
        rotation @ np.swapaxes(rotation, -1, -2),
        np.broadcast_to(np.eye(3), (16, 3, 3)),
        atol=1e-12,
    )
    np.testing.assert_allclose(np.linalg.det(rotation), 1)


@given(seeds)
def test_a_transform_times_its_inverse_is_the_identity(seed):
    transforms = random_transforms(seed)
    product = transforms @ invert_rigid(transforms)
    np.testing.assert_allclose(product, np.broadcast_to(np.eye(4), (16, 4, 4)), atol=1e-9)


@given(seeds)
def test_transforming_points_equals_homogeneous_multiplication(seed):
    transform = random_transforms(seed)[0]
    points = np.random.default_rng(seed).uniform(-5, 5, (7, 3))
    homogeneous = np.concatenate([points, np.ones((7, 1))], axis=1)
    np.testing.assert_allclose(
        transform_points(transform, points), (homogeneous @ transform.T)[:, :3], atol=1e-9
    )


def test_a_camera_sees_its_target_ahead_and_up_above():
    world_from_camera = look_at([1, 2, 3], [4, 2, 3], up=[0, 0, 1])
    camera_from_world = invert_rigid(world_from_camera)
    points = np.array([[4, 2, 3], [4, 2, 4], [4, 1, 3]])
    seen = transform_points(camera_from_world, points)
    np.testing.assert_allclose(seen, [[0, 0, 3], [0, -1, 3], [1, 0, 3]], atol=1e-12)


def test_looking_along_up_is_refused():
    with pytest.raises(ValueError, match='along up'):
        look_at([0, 0, 0], [0, 0, 2], up=[0, 0, 1])
    with pytest.raises(ValueError, match='at the position'):
        look_at([1, 1, 1], [1, 1, 1], up=[0, 0, 1])
