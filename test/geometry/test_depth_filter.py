"""Which pixels a depth filter keeps: limits, percentile, and no pixel between two surfaces."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stream3r_ros.geometry.depth_filter import DepthFilter, flying_pixels

HW = (84, 112)
FOCAL = 100.0
JUMP = 0.05


def confident(depth):
    return torch.full(depth.shape, 2.0)


def lost_to_edges(depth, threshold=JUMP):
    """Mark what the rule alone takes from a depth image."""
    depth = torch.as_tensor(np.asarray(depth, np.float32))
    plain, edged = DepthFilter(), DepthFilter(edge_threshold=threshold)
    before = plain.mask(depth, confident(depth))
    return (before & ~edged.mask(depth, confident(depth))).numpy()


def plane(normal, distance):
    """Give the depth of the plane normal . X = distance, NaN where it is not in view."""
    v, u = np.mgrid[: HW[0], : HW[1]].astype(float)
    rays = np.stack([(u - HW[1] / 2) / FOCAL, (v - HW[0] / 2) / FOCAL, np.ones(HW)], -1)
    inverse = rays @ (np.asarray(normal, float) / distance)
    return np.where(inverse > 1e-4, 1 / np.where(inverse > 1e-4, inverse, 1), np.nan)


def step_edge(columns=(), near=1.0, far=3.0):
    """Give two flat surfaces that meet in the middle, with other depths in between."""
    depth = np.full(HW, far)
    depth[:, : HW[1] // 2] = near
    for place, between in enumerate(columns):
        depth[:, HW[1] // 2 + place] = between
    return depth


def test_only_finite_positive_depth_inside_the_image_is_kept():
    depth = torch.tensor([[1.0, math.nan, math.inf, -1.0, 0.0, 2.0]])
    inside = torch.tensor([[True, True, True, True, True, False]])
    kept = DepthFilter().mask(depth, confident(depth), inside)
    assert kept.tolist() == [[True, False, False, False, False, False]]
    assert DepthFilter().mask(depth, confident(depth)).sum() == 2


def test_limits_of_depth_and_confidence_are_kept_and_nan_confidence_is_none():
    depth = torch.tensor([[0.4, 0.5, 3.0, 3.1, 1.0, 1.0]])
    confidence = torch.tensor([[9.0, 1.5, 9.0, 9.0, 1.4, math.nan]])
    kept = DepthFilter(min_confidence=1.5, min_depth=0.5, max_depth=3.0).mask(depth, confidence)
    assert kept.tolist() == [[False, True, True, False, False, False]]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.floats(0, 99), st.integers(0, 60))
def test_the_percentile_leaves_out_that_share_of_the_usable_pixels(seed, percentile, unusable):
    rng = np.random.default_rng(seed)
    confidence = (1 + rng.exponential(3, 100)).astype(np.float32)
    depth = np.ones(100, np.float32)
    depth[rng.permutation(100)[:unusable]] = np.nan
    mask = DepthFilter(confidence_percentile=percentile).mask(
        torch.from_numpy(depth)[None], torch.from_numpy(confidence)[None]
    )
    usable = np.sort(confidence[np.isfinite(depth)])
    expected = usable[int(np.float32(len(usable)) * np.float32(percentile / 100)) :]
    assert np.array_equal(np.sort(confidence[mask[0].numpy()]), expected)


def test_equally_confident_pixels_all_stay():
    depth = torch.ones(10, 10)
    assert DepthFilter(confidence_percentile=50).mask(depth, confident(depth)).all()


def test_infinite_confidence_is_the_highest():
    confidence = torch.tensor([[1.0, math.inf, 3.0, math.inf]])
    kept = DepthFilter(confidence_percentile=50).mask(torch.ones(1, 4), confidence)
    assert kept.tolist() == [[False, True, False, True]]


def test_the_percentile_of_no_pixel_keeps_none():
    depth = torch.full((4, 5), math.nan)
    assert not DepthFilter(confidence_percentile=10).mask(depth, torch.ones(4, 5)).any()


def test_the_percentile_of_four_million_pixels_is_exact():
    confidence = 1 + torch.randperm(4_000_000).reshape(2000, 2000).float() / 4_000_000
    kept = DepthFilter(confidence_percentile=25).mask(torch.ones(2000, 2000), confidence)
    threshold = confidence.flatten().kthvalue(1_000_001).values
    assert torch.equal(kept, confidence >= threshold)


def test_pixels_between_two_surfaces_go_and_nothing_else():
    lost = lost_to_edges(step_edge(columns=[2.0]))
    assert lost[:, HW[1] // 2].all()
    assert lost.sum() == HW[0]


def test_two_blended_pixels_in_a_row_go_and_nothing_else():
    lost = lost_to_edges(step_edge(columns=[1.4, 2.2]))
    assert lost[:, HW[1] // 2 : HW[1] // 2 + 2].all()
    assert lost.sum() == 2 * HW[0]


def test_a_blend_that_is_linear_in_the_inverse_depth_goes_too():
    inverse = np.linspace(1, 1 / 3, 4)
    lost = lost_to_edges(step_edge(columns=1 / inverse[1:3]))
    assert lost[:, HW[1] // 2 : HW[1] // 2 + 2].all()
    assert lost.sum() == 2 * HW[0]


def test_an_edge_along_a_column_is_found_like_one_along_a_row():
    depth = step_edge(columns=[2.0])
    assert np.array_equal(lost_to_edges(depth.T).T, lost_to_edges(depth))


def test_a_blended_pixel_on_a_slanted_edge_goes():
    v, u = np.mgrid[: HW[0], : HW[1]]
    depth = np.where(u < v, 1.0, 3.0)
    blended = u == v
    depth[blended] = 1.8
    assert np.array_equal(lost_to_edges(depth), blended & (u > 0))  # the corner has no near side


def test_a_clean_step_loses_nothing():
    assert not lost_to_edges(step_edge()).any()


def test_a_thin_pole_stays():
    depth = step_edge(near=3.0)
    depth[:, 30] = 1.0
    assert not lost_to_edges(depth).any()


@pytest.mark.parametrize('angle_deg', [0, 45, 80, 85, 89])
@pytest.mark.parametrize('heading_deg', [0, 37, 90, 215])
def test_a_slanted_plane_loses_nothing_at_any_angle(angle_deg, heading_deg):
    angle, heading = math.radians(angle_deg), math.radians(heading_deg)
    normal = (
        math.sin(angle) * math.cos(heading),
        math.sin(angle) * math.sin(heading),
        math.cos(angle),
    )
    depth = plane(normal, 2.0)
    known = np.isfinite(depth)
    assert known.sum() > 3000
    # Three pixels alone, in a corner of the image, cannot tell a surface from a blend.
    seen = (known.sum(axis=0) > 3) & (known.sum(axis=1) > 3)[:, None]
    assert not (lost_to_edges(depth) & seen).any()


def test_the_floor_stays_up_to_the_horizon_even_with_some_noise():
    noise = np.random.default_rng(0).uniform(1 - JUMP / 10, 1 + JUMP / 10, HW)
    depth = plane((0, 1, 0), 0.3) * noise
    assert np.nanmax(depth) / np.nanmin(depth) > 30
    assert not lost_to_edges(depth).any()


def test_a_slanted_plane_before_a_wall_loses_nothing():
    slanted, wall = plane((-0.98, 0, 0.2), 0.4), np.full(HW, 9.0)
    in_front = np.isfinite(slanted) & (slanted < 4)
    depth = np.where(in_front, slanted, wall)
    assert 500 < in_front.sum() < in_front.size - 500
    assert not lost_to_edges(depth).any()


def test_pixels_beside_unknown_ones_are_no_edge():
    depth = np.full(HW, 2.0)
    depth[20:40, 30:50] = np.nan
    assert not lost_to_edges(depth).any()


def test_confidence_does_not_decide_what_is_an_edge():
    depth = torch.as_tensor(step_edge(columns=[2.0]).astype(np.float32))
    confidence = confident(depth)
    confidence[:, HW[1] // 2 + 1 :] = 1.0
    kept = DepthFilter(min_confidence=1.5, edge_threshold=JUMP).mask(depth, confidence)
    assert not kept[:, HW[1] // 2].any()
    assert kept[:, : HW[1] // 2].all()


@pytest.mark.parametrize('image_hw', [(1, 1), (1, 7), (2, 3), (3, 2)])
def test_images_of_a_few_pixels_are_taken(image_hw):
    everything = DepthFilter(1.0, 10.0, 0.1, 5.0, JUMP)
    assert everything.mask(torch.ones(image_hw), torch.ones(image_hw)).all()
    assert not flying_pixels(
        torch.ones(image_hw), torch.ones(image_hw, dtype=torch.bool), JUMP
    ).any()


def test_nothing_is_read_back_to_the_host():
    depth = torch.empty(HW, device='meta')  # a tensor without values: reading one raises
    inside = torch.empty(HW, dtype=torch.bool, device='meta')
    everything = DepthFilter(1.0, 10.0, 0.1, 5.0, JUMP)
    assert everything.mask(depth, depth, inside).shape == HW


@pytest.mark.parametrize(
    ('limits', 'message'),
    [
        ({'confidence_percentile': 100.0}, 'confidence_percentile is 100.0, expected 0 to under'),
        ({'edge_threshold': -0.1}, 'edge_threshold is -0.1, expected 0 or more'),
        ({'min_depth': math.nan}, 'min_depth is nan, expected 0 or more'),
        ({'min_depth': 3.0, 'max_depth': 2.0}, 'max_depth is 2.0, expected more than min_depth 3'),
    ],
)
def test_limits_that_make_no_sense_are_refused(limits, message):
    with pytest.raises(ValueError, match=message):
        DepthFilter(**limits)
