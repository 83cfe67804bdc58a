"""Clouds read back as they were made, organised or as a list, with the fields asked for."""

import numpy as np
import pytest
from sensor_msgs.msg import PointField
from sensor_msgs_py.point_cloud2 import read_points
from std_msgs.msg import Header

from stream3r_ros.node.clouds import CLOUD_BYTES, cloud_message, cloud_stride

HW = (6, 8)
NAMES = {
    'xyz': ['x', 'y', 'z'],
    'xyzrgb': ['x', 'y', 'z', 'rgb'],
    'xyzrgbc': ['x', 'y', 'z', 'rgb', 'confidence'],
}
HEADER = Header(frame_id='camera')


def grid(seed=0):
    """Give points of which one is NaN and one infinite, their colours and confidence."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(-2, 2, (*HW, 3)).astype(np.float32)
    points[1, 2] = np.nan
    points[3, 4, 0] = np.inf
    colours = rng.integers(0, 256, (*HW, 3), np.uint8)
    return points, colours, rng.random(HW, np.float32) + 1


def positions(cloud):
    read = read_points(cloud)
    return np.stack([read[name] for name in 'xyz'], axis=-1)


def colours_of(cloud):
    packed = read_points(cloud)['rgb'].copy().view(np.uint32)
    return np.stack([packed >> 16, packed >> 8 & 255, packed & 255], axis=-1)


@pytest.mark.parametrize('organized', [True, False])
@pytest.mark.parametrize('fields', list(NAMES))
def test_a_cloud_reads_back_with_its_fields(fields, organized):
    points, colours, confidence = grid()
    cloud = cloud_message(HEADER, points, colours, confidence, fields, organized)
    finite = np.isfinite(points).all(axis=-1)
    kept = np.ones(HW, bool) if organized else finite
    expected = np.where(finite[..., None], points, np.nan)[kept]
    assert [field.name for field in cloud.fields] == NAMES[fields]
    assert np.array_equal(positions(cloud), expected, equal_nan=True)
    if 'rgb' in NAMES[fields]:
        assert np.array_equal(colours_of(cloud), colours[kept])
    if 'confidence' in NAMES[fields]:
        assert np.array_equal(read_points(cloud)['confidence'], confidence[kept])


def test_an_organised_cloud_keeps_the_grid_and_says_that_it_has_holes():
    cloud = cloud_message(HEADER, *grid(), 'xyzrgbc', organized=True)
    assert (cloud.height, cloud.width, cloud.is_dense) == (*HW, False)
    assert (cloud.point_step, cloud.row_step, len(cloud.data)) == (20, 20 * HW[1], 20 * 6 * 8)


def test_a_list_has_one_row_and_no_hole():
    cloud = cloud_message(HEADER, *grid(), 'xyzrgb', organized=False)
    assert (cloud.height, cloud.width, cloud.is_dense) == (1, 46, True)
    assert (cloud.point_step, cloud.row_step, len(cloud.data)) == (16, 16 * 46, 16 * 46)


@pytest.mark.parametrize('fields', list(NAMES))
def test_every_field_is_a_float_on_a_multiple_of_four_bytes(fields):
    cloud = cloud_message(HEADER, *grid(), fields, organized=True)
    assert [field.offset for field in cloud.fields] == list(range(0, cloud.point_step, 4))
    assert {field.datatype for field in cloud.fields} == {PointField.FLOAT32}
    assert {field.count for field in cloud.fields} == {1}


@pytest.mark.parametrize('organized', [True, False])
def test_with_a_voxel_size_the_most_confident_point_of_each_voxel_is_listed(organized):
    points, colours, confidence = grid()
    cloud = cloud_message(HEADER, points, colours, confidence, 'xyzrgbc', organized, 1.5)
    best = {}
    for point, colour, certainty in zip(
        points.reshape(-1, 3), colours.reshape(-1, 3), confidence.ravel(), strict=True
    ):
        if not np.isfinite(point).all():
            continue
        voxel = tuple(np.floor(point * np.float32(1 / 1.5)))
        if voxel not in best or certainty > best[voxel][2]:
            best[voxel] = (tuple(point), tuple(colour), certainty)
    found = zip(
        map(tuple, positions(cloud)), map(tuple, colours_of(cloud)),
        read_points(cloud)['confidence'], strict=True,
    )  # fmt: skip
    assert len(best) < 30
    assert (cloud.height, cloud.width, cloud.is_dense) == (1, len(best), True)
    assert set(found) == set(best.values())


@pytest.mark.parametrize('voxel_size', [0.0, 0.1])
def test_a_list_of_no_point_is_a_valid_cloud(voxel_size):
    points, colours, confidence = grid()
    cloud = cloud_message(
        HEADER, points * np.nan, colours, confidence, 'xyzrgbc', False, voxel_size
    )
    assert (cloud.height, cloud.width, len(cloud.data)) == (1, 0, 0)
    assert len(read_points(cloud)) == 0


def test_making_a_cloud_leaves_its_points_as_they_were():
    points, colours, confidence = grid()
    before = points.copy()
    cloud_message(HEADER, points, colours, confidence, 'xyz', organized=True)
    assert np.array_equal(points, before, equal_nan=True)


def test_sampled_views_of_larger_images_are_taken():
    points, colours, confidence = grid()
    large = np.repeat(np.repeat(colours, 2, axis=0), 2, axis=1)
    cloud = cloud_message(HEADER, points, large[::2, ::2], confidence, 'xyzrgb', organized=False)
    assert np.array_equal(colours_of(cloud), colours[np.isfinite(points).all(axis=-1)])


@pytest.mark.parametrize('fields', list(NAMES))
@pytest.mark.parametrize('image_hw', [(84, 112), (392, 518), (1080, 1920), (3, 100_000)])
def test_the_default_stride_is_the_least_under_two_megabytes(fields, image_hw):
    def size(stride):
        return -(-image_hw[0] // stride) * -(-image_hw[1] // stride) * 4 * len(NAMES[fields])

    stride = cloud_stride(image_hw, 0, fields)
    assert size(stride) <= CLOUD_BYTES == 2_000_000
    assert stride == 1 or size(stride - 1) > CLOUD_BYTES


def test_a_stride_that_was_asked_for_is_taken():
    assert cloud_stride((1080, 1920), 1, 'xyzrgbc') == 1
    assert cloud_stride((84, 112), 7, 'xyz') == 7
