"""Depth errors and alignments have the values that arithmetic says."""

import numpy as np
import pytest

from stream3r_ros.evaluation.video_depth import (
    DepthErrors,
    align_depth,
    depth_errors,
    mean_depth,
)


@pytest.fixture()
def true_m():
    """Give three small frames between 1 and 5 m."""
    return np.random.default_rng(0).uniform(1, 5, (3, 20, 30)).astype(np.float32)


def test_a_constant_ratio_has_the_errors_of_its_formula(true_m):
    errors = depth_errors(true_m, 1.1 * true_m, 'metric')
    assert errors.abs_rel == pytest.approx(0.1, rel=1e-5)
    assert errors.log_rmse == pytest.approx(np.log(1.1), rel=1e-5)
    assert errors.rmse == pytest.approx(0.1 * np.sqrt(np.mean(true_m**2)), rel=1e-5)
    assert errors.delta_1_25 == 1
    assert errors.pixels == 1800


@pytest.mark.parametrize(('ratio', 'share'), [(1.24, 1), (1.26, 0), (1 / 1.24, 1), (1 / 1.26, 0)])
def test_delta_asks_for_a_ratio_below_1_25_both_ways(true_m, ratio, share):
    assert depth_errors(true_m, ratio * true_m, 'metric').delta_1_25 == share


def test_one_factor_aligns_all_frames(true_m):
    assert depth_errors(true_m, 0.2 * true_m, 'scale').abs_rel < 1e-6
    by_frame = true_m * np.array([1, 1, 2], np.float32)[:, None, None]
    errors = depth_errors(true_m, by_frame, 'scale')
    assert errors.abs_rel == pytest.approx(1 / 3, rel=0.01)


def test_outliers_do_not_move_the_factor(true_m):
    predicted = 0.5 * true_m
    predicted[:, ::5] *= 2
    errors = depth_errors(true_m, predicted, 'scale')
    assert errors.abs_rel == pytest.approx(0.2, rel=1e-3)
    assert errors.delta_1_25 == pytest.approx(0.8)


def test_factor_and_shift_are_found_among_outliers(true_m):
    true = true_m.ravel()
    predicted = (true - 0.7) / 3
    predicted[::4] = 0.8
    found = align_depth(true, predicted, 'scale-shift')
    assert found.factor == pytest.approx(3, rel=1e-4)
    assert found.shift == pytest.approx(0.7, abs=1e-3)


def test_a_falling_prediction_gets_a_negative_factor(true_m):
    found = align_depth(true_m.ravel(), 10 - 2 * true_m.ravel(), 'scale-shift')
    assert found.factor == pytest.approx(-0.5, rel=1e-4)
    assert found.shift == pytest.approx(5, rel=1e-3)


def test_unknown_depth_and_depth_beyond_the_cap_do_not_count(true_m):
    predicted = true_m.copy()
    true_m[0, 0, :4] = [np.nan, 0, -1, 80]
    predicted[0, 0, 4] = np.nan
    predicted[0, 0, :4] = 1000
    errors = depth_errors(true_m, predicted, 'metric', cap_m=70)
    assert errors == DepthErrors(0, 0, 0, 1, 1795)


def test_aligned_depth_is_capped_too():
    errors = depth_errors(np.full((1, 1, 4), 35.0), np.full((1, 1, 4), 900.0), 'metric', 70)
    assert errors.abs_rel == pytest.approx(1)


def test_nothing_valid_and_an_unknown_alignment_are_sentences(true_m):
    with pytest.raises(ValueError, match='no pixel of the video has both'):
        depth_errors(np.zeros((1, 2, 2)), np.ones((1, 2, 2)))
    with pytest.raises(ValueError, match="alignment is 'affine', expected one of scale"):
        depth_errors(true_m, true_m, 'affine')


def test_videos_are_weighted_by_their_valid_pixels():
    mean = mean_depth([DepthErrors(0.1, 1, 1, 0.5, 300), DepthErrors(0.5, 2, 2, 1, 100)])
    assert mean.abs_rel == pytest.approx(0.2)
    assert mean.rmse == pytest.approx(1.25)
    assert mean.delta_1_25 == pytest.approx(0.625)
    assert mean.pixels == 400
