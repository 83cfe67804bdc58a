"""Clouds are registered as they were moved, by scipy as by Open3D."""

import numpy as np
import pytest

from stream3r_ros.evaluation.registration import (
    Open3dRegistration,
    ScipyRegistration,
    rigid_between,
)
from stream3r_ros.geometry.rigid import matrix_from_quat_xyzw, rigid, transform_points

SCIPY = ScipyRegistration()


def moved_by(degrees, shift):
    half = np.radians(degrees) / 2
    return rigid(matrix_from_quat_xyzw(np.array([0, np.sin(half), 0, np.cos(half)])), shift)


def wavy_cloud(points=4000, seed=0):
    x, y = np.random.default_rng(seed).uniform(-1, 1, (2, points))
    return np.stack([x, y, 0.3 * np.sin(3 * x) + 0.2 * np.cos(4 * y)], axis=-1)


def test_a_known_motion_between_pairs_is_found_exactly():
    motion = moved_by(170, [1, -2, 3])
    points = wavy_cloud(20)
    np.testing.assert_allclose(
        rigid_between(points, transform_points(motion, points)), motion, atol=1e-12
    )


def test_a_mirrored_cloud_is_never_answered_by_a_reflection():
    points = wavy_cloud(50)
    found = rigid_between(points, points * [1, 1, -1])
    assert np.linalg.det(found[:3, :3]) == pytest.approx(1)


def test_icp_undoes_a_small_turn_and_shift():
    motion = moved_by(2, [0.02, 0.03, -0.02])
    cloud = wavy_cloud()
    found = SCIPY.align(cloud, transform_points(motion, cloud), 0.1)
    np.testing.assert_allclose(found, motion, atol=2e-3)


def test_icp_leaves_alone_what_is_beyond_the_threshold():
    cloud = wavy_cloud(100)
    np.testing.assert_array_equal(SCIPY.align(cloud, cloud + [0, 0, 9], 0.1), np.eye(4))


def test_icp_ignores_outliers_beyond_the_threshold():
    cloud = wavy_cloud(500)
    outliers = np.tile([[0.0, 0.0, 5.0]], (400, 1))
    found = SCIPY.align(np.concatenate([cloud + [0.001, 0, 0], outliers]), cloud, 0.1)
    np.testing.assert_allclose(found[:3, 3], [-0.001, 0, 0], atol=1e-6)


def test_the_normals_of_a_tilted_plane_are_the_planes():
    normal = np.array([1.0, 2.0, 3.0]) / np.sqrt(14)
    u, v = np.random.default_rng(1).uniform(-1, 1, (2, 500))
    first = np.cross(normal, [1, 0, 0])
    points = u[:, None] * first + v[:, None] * np.cross(normal, first)
    np.testing.assert_allclose(np.abs(SCIPY.normals(points) @ normal), 1, atol=1e-9)


def test_two_points_have_the_normal_of_a_flat_world():
    np.testing.assert_array_equal(SCIPY.normals(np.eye(3)[:2]), [[0, 0, 1], [0, 0, 1]])


def test_scipy_gives_the_numbers_of_open3d():
    try:
        open3d = Open3dRegistration()
    except RuntimeError as error:
        pytest.skip(f'Open3D does not load: {error}')
    cloud, target = wavy_cloud(3000, 2), wavy_cloud(3000, 3) + [0.02, 0.01, -0.03]
    np.testing.assert_allclose(
        SCIPY.align(cloud, target, 0.1), open3d.align(cloud, target, 0.1), atol=1e-6
    )
    agreement = np.abs((SCIPY.normals(cloud) * open3d.normals(cloud)).sum(-1))
    np.testing.assert_allclose(agreement, 1, atol=1e-6)


def test_scipy_gives_the_numbers_that_open3d_0_20_gave():
    cloud, target = wavy_cloud(3000, 2), wavy_cloud(3000, 3) + [0.02, 0.01, -0.03]
    recorded_pose = [
        [0.999994877, -0.002503247, -0.00199509, 0.018176297],
        [0.002503927, 0.999996808, 0.000338408, 0.008928881],
        [0.001994237, -0.000343402, 0.999997953, -0.029788864],
        [0, 0, 0, 1],
    ]
    np.testing.assert_allclose(SCIPY.align(cloud, target, 0.1), recorded_pose, atol=2e-9)
    normals = SCIPY.normals(cloud)
    normals *= np.sign(normals[:, 2:])
    recorded_normals = [
        [-0.097061443, 0.623106177, 0.77609134],
        [-0.297934774, 0.250067357, 0.921249796],
        [0.195879932, -0.595997549, 0.778728434],
    ]
    np.testing.assert_allclose(normals[:3], recorded_normals, atol=2e-9)
    recorded_mean = [-0.018938152, -0.005047394, 0.799219807]
    np.testing.assert_allclose(normals.mean(axis=0), recorded_mean, atol=2e-9)
