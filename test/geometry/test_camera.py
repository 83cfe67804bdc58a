"""Cameras against the published network's conversions and against each other."""

import math

import numpy as np
import torch
from golden import DATA, assert_agrees

from stream3r_ros.geometry import camera
from stream3r_ros.network import Predictions

POSES = np.load(DATA / 'poses.npz')
ENCODING = torch.from_numpy(POSES['pose_enc'])


def test_extrinsics_of_unnormalised_quaternions_agree_with_the_published_ones():
    assert_agrees(camera.camera_from_world(ENCODING), POSES['camera_from_world'])


def test_intrinsics_agree_with_the_published_ones():
    assert_agrees(camera.intrinsics(ENCODING, (28, 42)), POSES['intrinsics'])


def test_unprojected_points_agree_with_the_published_ones():
    depth = torch.from_numpy(POSES['depth'])
    predictions = Predictions((28, 42), ENCODING[None], depth=depth[None])
    assert_agrees(predictions.unproject()[0], POSES['points'])


def test_world_from_camera_inverts_camera_from_world():
    pose, extrinsic = camera.world_from_camera(ENCODING), camera.camera_from_world(ENCODING)
    product = pose[:, :3, :3] @ extrinsic[:, :, :3]
    torch.testing.assert_close(product, torch.eye(3).expand(len(pose), 3, 3), atol=1e-5, rtol=0)
    origin = pose[:, :3, :3] @ extrinsic[:, :, 3:] + pose[:, :3, 3:]
    torch.testing.assert_close(origin, torch.zeros_like(origin), atol=1e-5, rtol=0)


def test_the_length_of_a_quaternion_does_not_matter():
    quaternion = torch.tensor([0.1, -0.4, 0.2, 0.8])
    one, other = (camera.rotation_from_quaternion(quaternion * scale) for scale in (1.0, 7.0))
    torch.testing.assert_close(one, other)


def test_a_quarter_turn_about_z_sends_x_to_y():
    half = math.sqrt(0.5)
    rotation = camera.rotation_from_quaternion(torch.tensor([0.0, 0.0, half, half]))
    turned = rotation @ torch.tensor([1.0, 0.0, 0.0])
    torch.testing.assert_close(turned, torch.tensor([0.0, 1.0, 0.0]), atol=1e-6, rtol=0)


def test_a_field_of_view_of_zero_gives_finite_intrinsics():
    encoding = torch.tensor([0.0, 0, 0, 0, 0, 0, 1, 0, 0])
    matrix = camera.intrinsics(encoding, (28, 42))
    assert torch.isfinite(matrix).all()
    assert matrix[0, 0] == 21 / torch.tan(torch.tensor(0.005))


def test_points_reproject_to_the_pixels_they_came_from():
    matrix = torch.tensor([[30.0, 0, 20.5], [0, 25, 14], [0, 0, 1]])
    depth = torch.rand(28, 42) + 0.5
    points = camera.camera_points(depth, matrix)
    pixels = points @ matrix.T
    u = (pixels[..., 0] / pixels[..., 2]).round().int()
    v = (pixels[..., 1] / pixels[..., 2]).round().int()
    assert torch.equal(u, torch.arange(42, dtype=torch.int32).expand(28, 42))
    assert torch.equal(v, torch.arange(28, dtype=torch.int32)[:, None].expand(28, 42))
