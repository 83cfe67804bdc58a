"""Losses on hand-made cases."""

import math

import pytest
import torch

from stream3r_ros.training.losses import (
    confident_error,
    dense_loss,
    gradient_error,
    pose_loss,
    rotation_angle,
)


def turn_about_z(degrees: float) -> torch.Tensor:
    half = math.radians(degrees) / 2
    return torch.tensor([0.0, 0.0, math.sin(half), math.cos(half)])


@pytest.mark.parametrize('degrees', [0.01, 1.0, 45.0, 90.0, 170.0])
def test_the_rotation_angle_is_the_angle_whatever_sign_and_length(degrees):
    still, turned = turn_about_z(0), turn_about_z(degrees)
    for other in (turned, -turned, 3 * turned):
        found = math.degrees(rotation_angle(still, other).item())
        assert found == pytest.approx(degrees, rel=1e-3)


def test_the_rotation_angle_has_a_gradient_at_small_angles():
    quaternion = turn_about_z(0.1).requires_grad_()
    rotation_angle(quaternion, turn_about_z(0)).backward()
    assert torch.isfinite(quaternion.grad).all()
    assert quaternion.grad.norm() > 0.5


def test_doubt_is_worth_it_for_large_errors_only():
    valid = torch.ones(1, 2, 2)
    sure, doubtful = torch.full((1, 2, 2), 3.0), torch.full((1, 2, 2), 1.0)
    small, large = torch.full((1, 2, 2), 0.01), torch.full((1, 2, 2), 1.0)
    assert confident_error(small, sure, valid) < confident_error(small, doubtful, valid)
    assert confident_error(large, sure, valid) > confident_error(large, doubtful, valid)


def test_invalid_pixels_count_for_nothing():
    error = torch.tensor([[[0.5, 100.0]]])
    valid = torch.tensor([[[1.0, 0.0]]])
    assert confident_error(error, torch.ones(1, 1, 2), valid).item() == 0.5


def test_a_constant_offset_has_no_gradient_error_and_a_ramp_has_its_slope():
    valid = torch.ones(1, 16, 16)
    assert gradient_error(torch.full((1, 16, 16, 1), 7.0), valid).item() == 0
    ramp = torch.arange(16.0).view(1, 1, 16, 1).expand(1, 16, 16, 1)
    # Steps of 1, 2 and 4 pixels along one of two axes.
    assert gradient_error(ramp, valid).item() == pytest.approx((1 + 2 + 4) / 3)


def test_the_truth_has_no_loss_beyond_the_confidence():
    true = torch.rand(2, 8, 8, 3)
    assert dense_loss(true, torch.ones(2, 8, 8), true, torch.ones(2, 8, 8)).item() == 0


def test_the_pose_loss_counts_the_last_iteration_most():
    true = torch.tensor([[[0.0, 0, 0, 0, 0, 0, 1, 1, 1]] * 2])
    wrong = true + torch.tensor([1.0, 0, 0, 0, 0, 0, 0, 0, 0])
    late = pose_loss([true, wrong], true)
    early = pose_loss([wrong, true], true)
    assert late['pose'] > early['pose'] > 0
    assert late['translation'].item() == pytest.approx(1)
    assert late['rotation'].item() == pytest.approx(0, abs=1e-3)
