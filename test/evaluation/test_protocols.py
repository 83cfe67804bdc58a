"""The protocols measure what one batch call of the network says."""

import cv2
import dataset_folders as folders
import numpy as np
import pytest
import torch

from stream3r_ros.evaluation.datasets.kitti import kitti
from stream3r_ros.evaluation.datasets.nrgbd import nrgbd
from stream3r_ros.evaluation.datasets.scannet import scannet
from stream3r_ros.evaluation.framing import frame_view
from stream3r_ros.evaluation.inference import StreamMode
from stream3r_ros.evaluation.protocols import (
    measure_depth,
    measure_pose,
    measure_reconstruction,
)
from stream3r_ros.evaluation.reconstruction import PointMaps, reconstruction_errors
from stream3r_ros.evaluation.registration import ScipyRegistration
from stream3r_ros.evaluation.trajectory import trajectory_errors
from stream3r_ros.evaluation.video_depth import depth_errors
from stream3r_ros.geometry.rigid import transform_points
from stream3r_ros.images import prepare
from stream3r_ros.network import load_network

CAUSAL = StreamMode()


@pytest.fixture(scope='module')
def network():
    return load_network('demo', device='cpu', dtype='float32')


def batch(network, images, mode='causal', window_size=5):
    with torch.inference_mode():
        return network(torch.stack(images), mode, window_size)


def test_reconstruction_unprojects_depth_with_pose_and_intrinsics(network, tmp_path):
    folders.write_nrgbd(tmp_path, image_hw=folders.HW_KINECT)
    (sequence,) = nrgbd(tmp_path, ('kitchen',))
    steps = []
    found = measure_reconstruction(
        network, sequence, CAUSAL, ScipyRegistration(), advance=lambda: steps.append(1)
    )
    views = [
        frame_view(sequence.image_rgb(i), sequence.depth_m(i), sequence.intrinsics, (84, 112))
        for i in range(3)
    ]
    says = batch(network, [view.image for view in views])
    true_points = []
    for view, pose in zip(views, sequence.world_from_camera(), strict=True):
        v, u = np.indices((84, 112))
        rays = np.stack([u, v, np.ones_like(u)], -1) @ np.linalg.inv(view.intrinsics).T
        points = (rays * view.depth_m[..., None]).reshape(-1, 3)
        true_points.append(transform_points(pose, points).reshape(84, 112, 3))
    expected = reconstruction_errors(
        PointMaps(np.stack(true_points), folders.pose(0)),
        PointMaps(says.unproject()[0].numpy(), says.world_from_camera[0, 0].numpy()),
        np.ones((3, 84, 112), bool),
        (48, 48),
        ScipyRegistration(),
    )
    assert found.accuracy_mean == pytest.approx(expected.accuracy_mean, rel=1e-2)
    assert found.completeness_mean == pytest.approx(expected.completeness_mean, rel=1e-2)
    assert len(steps) == 3


def test_depth_is_measured_at_the_size_of_the_true_depth(network, tmp_path):
    folders.write_kitti(tmp_path)
    (sequence,) = kitti(tmp_path, ('2011_09_26_drive_0002_sync',))
    # Without alignment, whose reweighting makes much of the last digits.
    found = measure_depth(network, sequence, CAUSAL, 'metric')
    says = batch(network, [prepare(sequence.image_rgb(i), 112)[0] for i in range(3)])
    resized = [
        cv2.resize(depth, folders.HW[::-1], interpolation=cv2.INTER_CUBIC)
        for depth in says.depth[0].numpy()
    ]
    true = np.stack([sequence.depth_m(i) for i in range(3)])
    expected = depth_errors(true, np.stack(resized), 'metric')
    assert found.abs_rel == pytest.approx(expected.abs_rel, rel=1e-5)
    assert found.pixels == expected.pixels == 3 * folders.HW[0] * folders.HW[1] // 2


def test_the_trajectory_is_that_of_the_camera_in_the_world(network, tmp_path):
    pytest.importorskip('evo.core.metrics', reason='evo is not installed', exc_type=ImportError)
    folders.write_scannet(tmp_path, frames=12)
    (sequence,) = scannet(tmp_path, ('scene0710_00',))
    found = measure_pose(network, sequence, StreamMode('window', 2))
    images = [prepare(sequence.image_rgb(i), 112)[0] for i in range(4)]
    says = batch(network, images, 'window', 2)
    expected = trajectory_errors(
        np.stack([folders.pose(i) for i in (0, 3, 6, 9)]),
        says.world_from_camera[0].double().numpy(),
    )
    assert found.ate_m == pytest.approx(expected.ate_m, rel=1e-2)
    assert found.rpe_rotation_deg == pytest.approx(expected.rpe_rotation_deg, rel=1e-2)


def test_image_and_depth_of_different_sizes_name_the_image(network, tmp_path):
    folders.write_nrgbd(tmp_path, image_hw=folders.HW_KINECT)
    folders.write_image(tmp_path / 'kitchen/images/img0.png', 0, (240, 320))
    (sequence,) = nrgbd(tmp_path, ('kitchen',))
    with pytest.raises(ValueError, match='img0.png: image .* differ in size'):
        measure_reconstruction(network, sequence, CAUSAL, ScipyRegistration())
