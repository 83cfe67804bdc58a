"""The synthetic errors have the values that geometry says, and come from real streams."""

import numpy as np
import pytest
import torch

from stream3r_ros.evaluation.inference import StreamMode
from stream3r_ros.evaluation.synthetic import (
    SequenceEstimate,
    anchor_points,
    evaluate_synthetic,
    run_sequence,
    sequence_errors,
    summarise,
)
from stream3r_ros.geometry.rigid import look_at, matrix_from_quat_xyzw, rigid
from stream3r_ros.network import load_network
from stream3r_ros.synthetic.splits import TrueSequence

HW = (84, 112)
STEP_M = 0.5


def truth(frames=4, seed=0):
    """Walk aside by STEP_M a frame before a wall with a relief."""
    rng = np.random.default_rng(seed)
    poses = np.stack(
        [look_at([STEP_M * s, 0, 0], [STEP_M * s, 0, 3], [0, -1, 0]) for s in range(frames)]
    )
    return TrueSequence(
        rng.integers(0, 256, (frames, *HW, 3), np.uint8),
        rng.uniform(1, 4, (frames, *HW)).astype(np.float32),
        poses,
        np.array([[90.0, 0, 56], [0, 90, 42], [0, 0, 1]]),
        1_000_000 + seed,
    )


def perfect(true, unit=1.0):
    """Say the truth in another unit and another world."""
    poses = look_at([9, 8, 7], [0, 1, 0], [0, 0, 1]) @ true.world_from_camera
    poses[:, :3, 3] *= unit
    matrices = np.broadcast_to(true.intrinsics, (len(poses), 3, 3))
    points = anchor_points(true.depth, true.world_from_camera, matrices)
    return SequenceEstimate(true.depth * unit, poses, matrices, points * unit)


def changed(estimate, **fields):
    return SequenceEstimate(**{**vars(estimate), **fields})


def about_y(degrees):
    half = np.radians(degrees) / 2
    return rigid(matrix_from_quat_xyzw(np.array([0, np.sin(half), 0, np.cos(half)])), np.zeros(3))


@pytest.fixture(scope='module')
def network():
    return load_network('demo', device='cpu', dtype='float32')


def test_the_truth_in_another_unit_and_world_has_no_error():
    errors = sequence_errors(truth(), perfect(truth(), 0.2))
    assert errors.abs_rel < 1e-6
    assert errors.delta_1_25 == 1
    assert errors.rotation_deg.max() < 1e-6
    assert errors.translation_rel.max() < 1e-6
    assert errors.point_head_mean_rel < 1e-6
    assert errors.points_mean_rel < 1e-5


def test_outliers_in_depth_do_not_move_the_scale():
    depth = perfect(truth()).depth.copy()
    depth[:, ::4] *= 1.5
    errors = sequence_errors(truth(), changed(perfect(truth()), depth=depth))
    assert errors.abs_rel == pytest.approx(0.25 * 0.5, rel=1e-4)
    assert errors.delta_1_25 == pytest.approx(0.75)
    assert errors.translation_rel.max() < 1e-6


def test_pixels_without_true_depth_do_not_count():
    true = truth()
    true.depth[:, :40] = np.inf
    estimate = changed(perfect(truth()), depth=perfect(truth()).depth.copy())
    estimate.depth[:, :40] = 77
    assert sequence_errors(true, estimate).abs_rel < 1e-6


def test_rotation_errors_are_relative_to_the_anchor():
    poses = perfect(truth()).world_from_camera
    all_turned = look_at([0, 0, 0], [1, 1, 1], [0, 0, 1]) @ poses
    errors = sequence_errors(truth(), changed(perfect(truth()), world_from_camera=all_turned))
    assert errors.rotation_deg.max() < 1e-6
    drifting = np.stack([pose @ about_y(3.0 * s) for s, pose in enumerate(poses)])
    errors = sequence_errors(truth(), changed(perfect(truth()), world_from_camera=drifting))
    np.testing.assert_allclose(errors.rotation_deg, [3, 6, 9], rtol=1e-6)
    assert errors.translation_rel.max() < 1e-6


def test_translation_errors_are_shares_of_the_paths_extent():
    poses = truth().world_from_camera.copy()
    poses[1:, 1, 3] += 0.3
    errors = sequence_errors(truth(), changed(perfect(truth()), world_from_camera=poses))
    np.testing.assert_allclose(errors.translation_rel, 0.3 / (3 * STEP_M), rtol=1e-6)


def test_points_errors_are_shares_of_the_mean_distance():
    true, estimate = truth(), perfect(truth())
    distance = np.linalg.norm(estimate.points, axis=-1).mean()
    moved = changed(estimate, points=estimate.points + [0, 0.06, 0.08])
    errors = sequence_errors(true, moved)
    assert errors.point_head_mean_rel == pytest.approx(0.1 / distance, rel=1e-5)
    assert errors.points_mean_rel < 1e-5
    poses = truth().world_from_camera.copy()
    poses[1:, 1, 3] += 0.3  # three frames of four
    errors = sequence_errors(true, changed(estimate, world_from_camera=poses))
    assert errors.points_mean_rel == pytest.approx(0.75 * 0.3 / distance, rel=1e-5)
    assert errors.point_head_mean_rel < 1e-6


def test_a_camera_that_stands_still_is_a_sentence():
    true = truth()
    true.world_from_camera[:] = np.eye(4)
    with pytest.raises(ValueError, match='no extent to compare with'):
        sequence_errors(true, perfect(truth()))


def test_sequences_are_joined_by_means_and_medians():
    drift = [
        changed(
            perfect(truth()),
            world_from_camera=np.stack(
                [pose @ about_y(rate * s) for s, pose in enumerate(truth().world_from_camera)]
            ),
            points=perfect(truth()).points * factor,
        )
        for rate, factor in ((1.0, 1.1), (2.0, 1.3), (6.0, 1.2))
    ]
    found = summarise('drift', [sequence_errors(truth(), one) for one in drift])
    assert found.rotation_median_deg == pytest.approx(4)  # of 1 2 3, 2 4 6, 6 12 18
    np.testing.assert_allclose(found.rotation_by_frame_deg, [2, 4, 6])
    assert found.point_head_mean_rel == pytest.approx(0.2, rel=1e-5)


def test_a_stream_says_what_one_batch_call_says(network):
    true = truth()
    found = run_sequence(network, true, StreamMode('window', 2))
    images = torch.from_numpy(true.images).permute(0, 3, 1, 2).float() / 255
    with torch.inference_mode():
        expected = network(images, 'window', 2)
    np.testing.assert_allclose(found.depth, expected.depth[0].numpy(), rtol=1e-3)
    np.testing.assert_allclose(found.points, expected.points[0].numpy(), rtol=1e-2, atol=1e-3)
    np.testing.assert_allclose(
        found.world_from_camera, expected.world_from_camera[0].numpy(), atol=1e-4
    )


def test_the_table_has_both_streams_and_both_predictors_that_know_nothing(network):
    steps = []
    sizes = []

    def maker(index, frames, image_hw):
        sizes.append(image_hw)
        return truth(frames, index)

    result = evaluate_synthetic(network, maker, 2, 3, 5, lambda: steps.append(1))
    names = [row.name for row in result.rows]
    assert names == ['causal', 'window 5', 'constant depth', 'identity pose']
    assert result.seeds == (1_000_000, 1_000_001)
    assert sizes == [HW, HW]
    assert len(steps) == 2 * 3 * 2
    causal, window, constant, identity = result.rows
    # The window holds all three frames.
    assert window.abs_rel == pytest.approx(causal.abs_rel, rel=1e-4)
    median = [np.median(truth(3, index).depth) for index in range(2)]
    expected = np.mean(
        [np.abs(m / truth(3, index).depth - 1).mean() for index, m in enumerate(median)]
    )
    assert constant.abs_rel == pytest.approx(expected, rel=1e-5)
    assert constant.rotation_median_deg is None
    assert identity.abs_rel is None
    assert identity.rotation_median_deg == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(identity.translation_by_frame_rel, [0.5, 1.0])


def test_the_window_forgets_what_the_causal_stream_sees(network):
    result = evaluate_synthetic(
        network, lambda index, frames, hw: truth(frames, index), 1, 4, window_size=1
    )
    assert result.rows[1].name == 'window 1'
    assert result.rows[0].abs_rel != result.rows[1].abs_rel


def test_too_little_to_measure_is_a_sentence(network):
    with pytest.raises(ValueError, match='0 sequences of 8 frames, expected at least 1'):
        evaluate_synthetic(network, lambda *_: truth(), 0, 8)
