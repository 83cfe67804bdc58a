"""Similarities: the group's laws, the fit, and what it does with wrong pairs."""

import numpy as np
import pytest

from stream3r_ros.geometry.rigid import exp_rigid, is_rigid
from stream3r_ros.geometry.similarity import (
    LEAST_PAIRS,
    Similarity,
    robust_similarity,
    weighted_similarity,
)


def similarity(seed):
    rng = np.random.default_rng(seed)
    moved = exp_rigid(rng.normal(size=6))
    return Similarity(float(np.exp(rng.normal() / 3)), moved[:3, :3], moved[:3, 3])


def scene(seed, count=2000):
    return np.random.default_rng(seed).normal(size=(count, 3)) * [3, 2, 1] + [0, 0, 5]


def assert_same(one, other, tolerance=1e-9):
    assert one.scale == pytest.approx(other.scale, rel=tolerance)
    np.testing.assert_allclose(one.rotation, other.rotation, atol=tolerance)
    np.testing.assert_allclose(one.translation, other.translation, atol=tolerance)


@pytest.mark.parametrize('seed', range(5))
def test_inverse_and_product_are_those_of_a_group(seed):
    one, other = similarity(seed), similarity(seed + 100)
    points = scene(seed, 10)
    assert_same(one @ one.inverse(), Similarity.identity())
    np.testing.assert_allclose((one @ other).points(points), one.points(other.points(points)))


def test_a_pose_stays_rigid_and_sees_the_same_points():
    change, pose = similarity(1), exp_rigid(np.array([0.3, -0.2, 0.1, 1.0, 2.0, 3.0]))
    moved = change.pose(pose)
    assert is_rigid(moved)
    in_camera = scene(2, 10)
    in_world = in_camera @ pose[:3, :3].T + pose[:3, 3]
    seen = change.scale * in_camera @ moved[:3, :3].T + moved[:3, 3]
    np.testing.assert_allclose(seen, change.points(in_world))


@pytest.mark.parametrize('seed', range(5))
def test_the_fit_finds_what_was_applied(seed):
    true, points = similarity(seed), scene(seed)
    weights = np.random.default_rng(seed).uniform(0.1, 2, len(points))
    assert_same(weighted_similarity(points, true.points(points), weights), true, 1e-8)
    # A plane is enough; a mirror image is never the answer.
    flat = points * [1, 1, 0]
    found = weighted_similarity(flat, true.points(flat), weights)
    assert np.linalg.det(found.rotation) == pytest.approx(1)
    np.testing.assert_allclose(found.points(flat), true.points(flat), atol=1e-8)


def test_a_third_of_wrong_pairs_changes_little():
    rng = np.random.default_rng(0)
    true, points = similarity(3), scene(3)
    target = true.points(points) + rng.normal(0, 0.01, points.shape)
    wrong = rng.random(len(points)) < 0.3
    target[wrong] += rng.normal(0, 3, (wrong.sum(), 3))
    fit = robust_similarity(points, target, np.ones(len(points)), true.translation)
    assert fit.target_from_source.scale == pytest.approx(true.scale, rel=0.01)
    assert fit.inlier_share == pytest.approx(0.7, abs=0.05)
    plain = weighted_similarity(points, target, np.ones(len(points)))
    error = [abs(found.scale / true.scale - 1) for found in (fit.target_from_source, plain)]
    assert error[0] < error[1]


def noise(points, target, weights):
    return points, np.random.default_rng(5).normal(size=target.shape) * 5, weights


def five_times_as_large(points, target, weights):
    return points, 5 * target, weights


def too_few(points, target, weights):
    return points[: LEAST_PAIRS - 1], target[: LEAST_PAIRS - 1], weights[: LEAST_PAIRS - 1]


def not_finite(points, target, weights):
    return points, target * np.nan, weights


def on_a_line(points, target, weights):
    line = points[:, :1] * [1, 2, 3]
    return line, line, weights


@pytest.mark.parametrize(
    ('spoil', 'sentence'),
    [
        (noise, 'agree, expected 50% or more|scale would be'),
        (five_times_as_large, 'the scale would be 5'),
        (too_few, f'only {LEAST_PAIRS - 1} shared points'),
        (not_finite, 'only 0 shared points'),
        (on_a_line, 'on one line'),
    ],
)
def test_what_is_not_to_be_believed_is_refused_with_the_reason(spoil, sentence):
    points = scene(4)
    pairs = spoil(points, points.copy(), np.ones(len(points)))
    with pytest.raises(ValueError, match=sentence):
        robust_similarity(*pairs, np.zeros(3))


def test_pixels_without_a_value_are_left_out():
    true, points = similarity(6), scene(6)
    target = true.points(points)
    target[::3] = np.nan
    fit = robust_similarity(points, target, np.ones(len(points)), true.translation)
    assert_same(fit.target_from_source, true, 1e-8)
    assert fit.inlier_share == 1.0
