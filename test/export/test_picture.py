"""The picture shows image, depth and cloud, whatever it is given."""

import numpy as np
import pytest
from PIL import Image

from stream3r_ros.export import colour_depth, demo_picture, write_png
from stream3r_ros.export.picture import cloud_from_above

RED, GREEN = (255, 0, 0), (0, 255, 0)


def is_near(picture, color):
    return (np.abs(picture.astype(int) - color) < 30).all(axis=-1)


def block(centre, color, count=400):
    points = np.random.default_rng(0).uniform(-0.2, 0.2, (count, 3)) + centre
    return points, np.tile(np.uint8(color), (count, 1))


@pytest.mark.parametrize(
    ('up', 'forward', 'right_of_it', 'ahead'),
    [
        ((0, -1, 0), (0, 0, 1), (2, 1, 0), (0, 1, 2)),
        ((0, 0, 1), (1, 0, 0), (0, -2, -1), (2, 0, -1)),
    ],
)
def test_seen_from_above_forward_is_up_and_right_is_right(up, forward, right_of_it, ahead):
    points, colors = (
        np.concatenate(pair)
        for pair in zip(block(right_of_it, RED), block(ahead, GREEN), strict=True)
    )
    view = cloud_from_above(points, colors, np.zeros((1, 3)), (300, 300), up, forward)
    red, green = (np.argwhere(is_near(view, color)).mean(axis=0) for color in (RED, GREEN))
    assert red[1] > 200 > 100 > green[1]
    assert green[0] < 100 < 200 < red[0]


def test_a_ceiling_above_the_camera_is_cut_off():
    floor, ceiling = block((0, 1, 0), GREEN, 3000), block((0, -1, 0), RED, 3000)
    points, colors = (np.concatenate(pair) for pair in zip(floor, ceiling, strict=True))
    view = cloud_from_above(points, colors, np.array([[0.0, 0, -0.1], [0, 0, 0.1]]), (200, 200))
    assert not is_near(view, RED).any()
    assert is_near(view, GREEN).sum() > 1000


def test_higher_points_cover_lower_ones():
    table, floor = block((0, 1, 0), RED, 3000), block((0, 2, 0), GREEN, 3000)
    points, colors = (np.concatenate(pair) for pair in zip(table, floor, strict=True))
    view = cloud_from_above(points, colors, np.array([[1.0, 0, 0]]), (200, 200))
    assert is_near(view, RED).sum() > 5 * is_near(view, GREEN).sum()


def test_near_is_warm_far_is_cold_and_unknown_grey():
    depth = np.tile(np.linspace(1, 3, 100), (100, 1))
    depth[:10] = np.nan
    coloured, (low, high) = colour_depth(depth)
    near, far, unknown = coloured[50, 5].astype(int), coloured[50, 95].astype(int), coloured[5, 5]
    assert near[0] > near[2] + 50
    assert far[2] > far[0] + 30
    assert np.ptp(unknown) < 10
    assert 1.0 <= low < 1.1 < 2.9 < high <= 3.0


@pytest.mark.parametrize('count', [0, 1, 5000])
def test_a_picture_is_made_of_any_number_of_points_and_poses(tmp_path, count):
    points, colors = block((0, 0, 3), RED, count)
    image = np.full((84, 112, 3), (10, 200, 30), np.uint8)
    depth = np.full((84, 112), np.nan if count == 0 else 2.0)
    picture = demo_picture(image, depth, points, colors, points[: min(count, 30)], caption='words')
    write_png(tmp_path / 'p.png', picture)
    back = np.asarray(Image.open(tmp_path / 'p.png'))
    assert np.array_equal(back, picture)
    assert is_near(back, (10, 200, 30)).sum() > 50_000


def test_points_far_away_do_not_break_the_picture():
    points, colors = block((0, 0, 3), RED, 1000)
    points[::400] *= 1e30
    view = cloud_from_above(points, colors, np.zeros((2, 3)), (200, 200))
    assert view.shape == (200, 200, 3)
