"""Depth becomes points, points become records, and voxels have one best point each."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stream3r_ros.geometry.camera import camera_points
from stream3r_ros.geometry.cloud import (
    MOST_VOXELS_PER_AXIS,
    OUTSIDE,
    best_of_each,
    packed_rgb,
    point_grid,
    point_records,
    point_type,
    voxel_keys,
)


def test_every_nth_pixel_is_unprojected_as_the_camera_does():
    depth = np.random.default_rng(0).uniform(1, 5, (7, 9)).astype(np.float32)
    depth[2, 4] = np.nan
    matrix = np.array([[8.0, 0, 4.5], [0, 7.0, 3.5], [0, 0, 1]])
    expected = camera_points(torch.from_numpy(depth), torch.from_numpy(matrix).float()).numpy()
    points = point_grid(depth, matrix, 2)
    assert points.dtype == np.float32
    np.testing.assert_allclose(points, expected[::2, ::2], rtol=1e-6)
    assert np.isnan(points[1, 2]).all()


@pytest.mark.parametrize(('fields', 'size'), [('xyz', 12), ('xyzrgb', 16), ('xyzrgbc', 20)])
def test_a_record_has_four_bytes_a_field(fields, size):
    kind = point_type(fields)
    assert kind.itemsize == size
    assert [offset for _, offset in kind.fields.values()] == list(range(0, size, 4))


def test_unknown_fields_are_refused():
    with pytest.raises(ValueError, match="fields are 'xyzi', expected one of xyz, xyzrgb, xyzrgb"):
        point_type('xyzi')


def test_records_hold_what_went_in():
    rng = np.random.default_rng(1)
    points = rng.normal(size=(4, 5, 3)).astype(np.float32)
    colours = rng.integers(0, 256, (4, 5, 3), np.uint8)
    confidence = rng.random((4, 5), np.float32)
    records = point_records(points, colours, confidence, point_type('xyzrgbc'))
    assert np.array_equal(np.stack([records[name] for name in 'xyz'], -1), points)
    assert np.array_equal(records['rgb'], packed_rgb(colours))
    assert np.array_equal(records['confidence'], confidence)


def test_red_is_the_highest_of_three_bytes():
    assert packed_rgb(np.array([0x12, 0xFE, 0x56], np.uint8)) == 0x12FE56


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.05, 2.0))
def test_points_share_a_key_when_they_share_a_voxel(seed, side):
    points = np.random.default_rng(seed).uniform(-2, 2, (200, 3)).astype(np.float32)
    cells = np.floor(points * np.float32(1 / side)).astype(int)
    _, by_cell = np.unique(cells, axis=0, return_inverse=True)
    _, by_key = np.unique(voxel_keys(points, side), return_inverse=True)
    assert np.array_equal(by_cell.ravel(), by_key)


def test_points_that_are_not_finite_or_too_far_have_no_voxel():
    far = np.float32(MOST_VOXELS_PER_AXIS)
    points = np.array(
        [[np.nan, 0, 0], [0, np.inf, 0], [0, 0, -np.inf], [far, 0, 0], [3e38, 0, 0], [1, 2, 3]],
        np.float32,
    )
    keys = voxel_keys(points, 1.0)
    assert (keys[:5] == OUTSIDE).all()
    assert keys[5] >= 0
    assert (voxel_keys(points[5:], 1e-300) == OUTSIDE).all()


def test_the_most_confident_of_each_key_is_found_and_what_is_outside_left():
    keys = np.array([3, 7, OUTSIDE, 7, 3, 3, 9], np.int64)
    confidence = np.array([np.nan, 1, 9, 2, 4, 5, np.nan], np.float32)
    assert best_of_each(keys, confidence).tolist() == [5, 3, 6]
    assert best_of_each(keys[:0], confidence[:0]).tolist() == []
    assert best_of_each(keys[2:3], confidence[2:3]).tolist() == []


def test_of_equally_confident_points_one_stays():
    best = best_of_each(np.array([5, 5, 5, 6], np.int64), np.ones(4, np.float32))
    assert len(best) == 2
    assert best[0] in (0, 1, 2) and best[1] == 3
