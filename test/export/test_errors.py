"""Errors of a recording agree with those of the evaluation, and pixels with their own rays."""

import json
from dataclasses import replace

import numpy as np
import pytest

from stream3r_ros.evaluation.synthetic import SequenceEstimate, sequence_errors
from stream3r_ros.export.errors import (
    ComparedFrame,
    compared_depths,
    errors_table,
    recorded_errors,
    write_errors,
)
from stream3r_ros.geometry.rigid import look_at, matrix_from_quat_xyzw, rigid
from stream3r_ros.images.prepare import plan_mapping
from stream3r_ros.synthetic import pinhole
from stream3r_ros.synthetic.splits import TrueSequence

HW = (24, 32)


def truth(frames=6):
    """Walk aside before a relief."""
    rng = np.random.default_rng(3)
    poses = [look_at([0.2 * s, 0, 0], [0.2 * s, 0.1 * s, 3], [0, -1, 0]) for s in range(frames)]
    depth = rng.uniform(1, 4, (frames, *HW)).astype(np.float32)
    images = np.zeros((frames, *HW, 3), np.uint8)
    return TrueSequence(images, depth, np.stack(poses), pinhole(HW), 0)


def estimate(true):
    """Say something near the truth, in another unit and another world."""
    rng = np.random.default_rng(4)
    frames = len(true.depth)
    depth = 0.3 * true.depth * rng.uniform(0.7, 1.4, true.depth.shape).astype(np.float32)
    quats = np.concatenate([rng.normal(0, 0.05, (frames, 3)), np.ones((frames, 1))], axis=1)
    turns = rigid(matrix_from_quat_xyzw(quats), rng.normal(0, 0.05, (frames, 3)))
    poses = true.world_from_camera @ turns
    poses[:, :3, 3] *= 0.3
    matrices = np.broadcast_to(true.intrinsics, (frames, 3, 3))
    return SequenceEstimate(depth, look_at([1, 2, 3], [0, 0, 0], [0, 0, 1]) @ poses, matrices)


def frames_of(true, found):
    """Pair every pixel."""
    return [
        ComparedFrame(
            index,
            found.depth[index].ravel(),
            true.depth[index].ravel(),
            found.world_from_camera[index],
            true.world_from_camera[index],
        )
        for index in range(len(true.depth))
    ]


def test_the_errors_are_those_of_the_evaluation():
    true = truth()
    found = estimate(true)
    expected = sequence_errors(true, found)
    errors = recorded_errors(frames_of(true, found))
    assert errors.abs_rel == pytest.approx(expected.abs_rel, rel=1e-6)
    assert errors.delta_1_25 == expected.delta_1_25
    assert errors.rotation_median_deg == pytest.approx(np.median(expected.rotation_deg))
    assert errors.translation_median_rel == pytest.approx(np.median(expected.translation_rel))
    assert errors.abs_rel > 0.05 and errors.rotation_median_deg > 1  # or this compares nothing


def test_the_anchor_is_the_earliest_frame_whatever_came_first():
    frames = frames_of(truth(), estimate(truth()))
    assert recorded_errors(frames[::-1]) == recorded_errors(frames)


def test_one_frame_is_not_enough():
    with pytest.raises(ValueError, match='1 frames came with the truth, expected at least 2'):
        recorded_errors(frames_of(truth(), estimate(truth()))[:1])


@pytest.mark.parametrize('fit', ['crop', 'pad', 'stretch'])
@pytest.mark.parametrize('camera_hw', [(120, 160), (160, 100), (90, 200)])
def test_pixels_meet_the_truth_of_their_own_ray(fit, camera_hw):
    """A plane through space has the same depth along a ray however the image was fitted."""
    mapping = plan_mapping(camera_hw, 112, fit)
    camera = pinhole(camera_hw)
    network = mapping.intrinsics_to_network(camera)
    true_depth, depth = slope(camera, camera_hw), slope(network, mapping.network_hw)
    depth[~mapping.image_mask()] = np.nan
    found, true = compared_depths(depth, true_depth, network, camera)
    assert len(found) > 0.95 * mapping.image_mask().sum()
    np.testing.assert_allclose(found, true, rtol=0.02)


def slope(intrinsics, image_hw):
    """See a slanted plane: 1 / depth is linear in the ray's direction."""
    v, u = np.mgrid[: image_hw[0], : image_hw[1]]
    x, y = (u - intrinsics[0, 2]) / intrinsics[0, 0], (v - intrinsics[1, 2]) / intrinsics[1, 1]
    return 1 / (0.5 + 0.1 * x - 0.12 * y)


def test_unknown_depth_on_either_side_does_not_count():
    depth, true_depth = np.ones(HW, np.float32), np.ones(HW, np.float32)
    depth[0], true_depth[1] = np.nan, np.inf
    found, true = compared_depths(depth, true_depth, pinhole(HW), pinhole(HW))
    assert len(found) == len(true) == (HW[0] - 2) * HW[1]


def test_large_images_are_sampled_down_to_a_bound():
    depth = np.ones((392, 518), np.float32)
    matrix = pinhole(depth.shape)
    found, _ = compared_depths(depth, depth, matrix, matrix, most_pixels=5000)
    assert 2500 < len(found) <= 5300


def test_table_and_file_say_the_same(tmp_path):
    errors = replace(
        recorded_errors(frames_of(truth(), estimate(truth()))),
        abs_rel=0.0614, rotation_median_deg=2.44, translation_median_rel=0.1234,
        path_extent_m=1.26,
    )  # fmt: skip
    table = errors_table(errors)
    assert '6 frames' in table
    for text in ('0.061', '2.4 degrees', "12.3% of the path's 1.3 m"):
        assert text in table
    write_errors(tmp_path / 'errors.json', errors)
    written = json.loads((tmp_path / 'errors.json').read_text())
    assert written['abs_rel'] == 0.0614
    assert written['frames'] == 6
