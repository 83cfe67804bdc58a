"""The camera goes round smoothly, for ever, without touching anything."""

import numpy as np
import pytest

from stream3r_ros.synthetic import CameraPath, SyntheticRoom


@pytest.fixture(scope='module', params=[0, 1, 2, 9])
def room_and_poses(request):
    """Sample the path of one room densely: the room, the path and (T, 4, 4) poses."""
    room = SyntheticRoom.from_seed(request.param, texels_per_m=8.0)
    path = CameraPath.from_seed(room, request.param)
    times = np.linspace(0, path.loop_s, 1441)
    return room, path, np.stack([path.pose(t) for t in times])


def test_the_camera_keeps_its_distance_from_walls_and_furniture(room_and_poses):
    room, _, poses = room_and_poses
    assert room.clearance(poses[:, :3, 3]).min() > 0.2


def test_the_path_is_a_closed_loop(room_and_poses):
    _, path, poses = room_and_poses
    np.testing.assert_allclose(poses[0], poses[-1], atol=1e-9)
    np.testing.assert_allclose(path.pose(3.3), path.pose(3.3 + 5 * path.loop_s), atol=1e-9)


def test_the_camera_moves_and_turns_slowly_without_jerks(room_and_poses):
    _, path, poses = room_and_poses
    step_s = path.loop_s / 1440
    velocity = np.diff(poses[:, :3, 3], axis=0) / step_s
    relative = np.swapaxes(poses[:-1, :3, :3], 1, 2) @ poses[1:, :3, :3]
    angle = np.arccos(np.clip((np.trace(relative, axis1=1, axis2=2) - 1) / 2, -1, 1)) / step_s
    assert 0.02 < np.linalg.norm(velocity, axis=1).max() < 0.8
    assert np.degrees(angle).max() < 45
    assert np.linalg.norm(np.diff(velocity, axis=0), axis=1).max() / step_s < 0.8


def test_poses_are_rigid_with_the_horizon_nearly_level(room_and_poses):
    _, _, poses = room_and_poses
    rotation = poses[:, :3, :3]
    np.testing.assert_allclose(
        rotation @ np.swapaxes(rotation, 1, 2),
        np.broadcast_to(np.eye(3), rotation.shape),
        atol=1e-12,
    )
    assert np.abs(rotation[:, 2, 0]).max() < np.sin(np.radians(10))
    assert rotation[:, 2, 1].max() < -0.7, 'the image is not upright'
