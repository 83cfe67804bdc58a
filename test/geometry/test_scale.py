"""Metric scale from depths and from ways: known factors come back, and doubt is said."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream3r_ros.geometry.rigid import exp_rigid
from stream3r_ros.geometry.scale import (
    LEAST_PIXELS,
    LEAST_PLACES,
    LogScale,
    fused_scale,
    scale_of_depths,
    scale_of_way,
    smooth_pixels,
)

FACTOR = 3.7


def depths(count=4000, spread=0.0, seed=0):
    """Give measured depths, and FACTOR times smaller estimated ones with a relative error."""
    random = np.random.default_rng(seed)
    measured = random.uniform(0.5, 6, count)
    return measured, measured / FACTOR * np.exp(spread * random.standard_normal(count))


def drive(count=12, step_m=0.3, seed=0):
    """Give poses (N, 4, 4) on a winding way."""
    random = np.random.default_rng(seed)
    poses = [exp_rigid(random.uniform(-1, 1, 6))]
    for _ in range(count - 1):
        turn = random.uniform(-0.2, 0.2, 3)
        poses.append(poses[-1] @ exp_rigid(np.array([0, 0, step_m, *turn])))
    return np.stack(poses)


def seen(poses, factor=FACTOR, noise=0.0, seed=1):
    """Give the poses in the network's unit, in a world of its own, with noisy positions."""
    found = exp_rigid(np.array([1.0, 2, 3, 0.3, -0.2, 0.9])) @ poses
    found[:, :3, 3] /= factor
    found[:, :3, 3] += noise * np.random.default_rng(seed).standard_normal((len(poses), 3))
    return found


def test_a_third_of_wrong_depths_does_not_move_the_factor():
    measured, estimated = depths(spread=0.05)
    measured[::3] *= 10
    found = scale_of_depths(measured, estimated)
    assert found.factor == pytest.approx(FACTOR, rel=0.05)


def test_depths_that_agree_less_are_less_sure():
    sure, unsure = (scale_of_depths(*depths(spread=spread)) for spread in (0.1, 0.4))
    assert unsure.sigma == pytest.approx(4 * sure.sigma, rel=0.1)


def test_few_depths_are_no_estimate():
    assert scale_of_depths(*depths(LEAST_PIXELS - 1)) is None
    assert scale_of_depths(*depths(LEAST_PIXELS)) is not None


def test_images_that_agree_are_together_as_sure_as_one_of_them():
    together = fused_scale([LogScale(1.0 + 0.01 * n, 0.1) for n in range(-8, 9)])
    assert together.value == pytest.approx(1.0)
    assert together.count == 17
    assert together.sigma == pytest.approx(0.1)


def test_images_that_contradict_each_other_are_as_unsure_as_their_spread():
    values = np.random.default_rng(0).normal(1.0, 0.5, 20)
    fused = fused_scale([LogScale(value, 0.01) for value in values])
    assert fused.sigma == pytest.approx(np.std(values), rel=0.1)


def test_one_image_far_off_is_left_out():
    fused = fused_scale(
        [*[LogScale(1.0 + 0.001 * n, 0.02) for n in range(9)], LogScale(3.0, 0.02)]
    )
    assert (fused.value, fused.count) == (pytest.approx(1.004), 9)


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 100))
@settings(max_examples=25, deadline=None)
def test_any_way_in_any_world_gives_its_factor(seed, factor):
    poses = drive(seed=seed)
    found = scale_of_way(poses, seen(poses, factor))
    assert found.factor == pytest.approx(factor, rel=1e-6)
    assert found.sigma < 0.01


def test_a_noisy_way_is_within_its_sigma_and_a_noisier_one_is_less_sure():
    poses = drive(20)
    sigmas = []
    for noise in (0.01, 0.03):
        found = [scale_of_way(poses, seen(poses, noise=noise, seed=n)) for n in range(20)]
        misses = [each.value - np.log(FACTOR) for each in found]
        assert np.std(misses) < found[0].sigma
        sigmas.append(found[0].sigma)
    assert sigmas[1] > 2 * sigmas[0]


def test_a_way_in_another_direction_is_not_sure():
    """As when the camera is mounted otherwise than TF says."""
    poses = drive()
    quarter = exp_rigid(np.array([0, 0, 0, 0, np.pi / 2, 0]))
    assert scale_of_way(poses, seen(poses @ quarter)).sigma > 0.3


@pytest.mark.parametrize('still', ['measured', 'estimated'])
def test_a_camera_that_stands_still_or_turns_gives_no_factor(still):
    poses = drive()
    turning = poses.copy()
    turning[:, :3, 3] = poses[0, :3, 3]
    assert scale_of_way(*((turning, poses) if still == 'measured' else (poses, turning))) is None


def test_a_short_way_gives_no_factor():
    poses = drive(LEAST_PLACES)
    assert scale_of_way(poses, seen(poses)) is not None
    assert scale_of_way(poses[:-1], seen(poses)[:-1]) is None


def test_pixels_beside_an_edge_or_a_hole_are_not_smooth():
    depth = np.full((9, 12), 2.0, np.float32)
    depth[:, 6:] = 3.0
    depth[2, 2] = np.nan
    depth[7, 1] = 0.0
    expected = np.ones(depth.shape, bool)
    expected[:, 5:7] = False
    for v, u in ((2, 2), (7, 1)):
        expected[v - 1 : v + 2, u] = expected[v, u - 1 : u + 2] = False
    np.testing.assert_array_equal(smooth_pixels(depth), expected)


def test_a_slanted_surface_is_smooth():
    assert smooth_pixels(np.linspace(1, 3, 200)[:, None] * np.ones((1, 50))).all()
