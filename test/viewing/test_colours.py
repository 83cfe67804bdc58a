"""Pictures and colours for the page, with all that may be missing in them."""

import numpy as np
import pytest

from stream3r_ros.viewing.colours import (
    COLOURINGS,
    coloured,
    confidence_picture,
    depth_picture,
    fitted,
    thumbnail,
)


@pytest.mark.parametrize('shape', [(84, 112, 3), (84, 112), (3000, 40, 3), (1, 1, 3)])
def test_a_thumbnail_is_small_and_rgb(shape):
    small = thumbnail(np.zeros(shape, np.uint8), 64)
    assert max(small.shape[:2]) <= 64
    assert small.shape[2:] == (3,)


def test_unknown_depth_does_not_spread_when_a_picture_shrinks():
    depth = np.full((100, 100), np.nan, np.float32)
    depth[:, 50:] = 2
    small = thumbnail(depth, 10)
    assert np.isnan(small[:, :5]).all()
    assert (small[:, 5:] == 2).all()


@pytest.mark.parametrize('shape', [(84, 112, 3), (480, 640, 3), (84, 112)])
def test_a_fitted_picture_has_its_width_and_keeps_its_shape(shape):
    assert fitted(np.zeros(shape, np.uint8), 256).shape == (192, 256, 3)


@pytest.mark.parametrize('picture', [depth_picture, confidence_picture])
def test_pictures_of_nothing_at_all_are_pictures(picture):
    image, said = picture(np.full((84, 112), np.nan, np.float32), 256)
    assert image.shape == (192, 256, 3)
    assert said


def test_confidence_pictures_are_brighter_where_confidence_is_higher():
    confidence = np.repeat(np.geomspace(1, 100, 64, dtype=np.float32)[None], 48, axis=0)
    image, said = confidence_picture(confidence, 256)
    brightness = image.sum(axis=-1).mean(axis=0)
    assert brightness[-32:].mean() > brightness[96:160].mean() > brightness[:32].mean()
    assert said == '1 to 100'


@pytest.mark.parametrize('colouring', COLOURINGS)
@pytest.mark.parametrize('count', [0, 1, 50])
def test_every_colouring_gives_each_point_a_colour(colouring, count):
    points = np.random.default_rng(0).normal(size=(count, 3)).astype(np.float32)
    colours = np.full((count, 3), 9, np.uint8)
    given = coloured(colouring, points, colours, np.ones(count, np.float32))
    assert given.shape == (count, 3)
    assert given.dtype == np.uint8


def test_height_and_confidence_tell_points_apart():
    points = np.zeros((2, 3), np.float32)
    points[1, 2] = 1
    colours = np.zeros((2, 3), np.uint8)
    low, high = coloured('height', points, colours)
    assert (low != high).any()
    unsure, sure = coloured('confidence', points, colours, np.array([1.0, 9.0]))
    assert (unsure != sure).any()
