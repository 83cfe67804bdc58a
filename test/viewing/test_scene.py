"""What the scene draws, as arrays."""

import numpy as np
import pytest

from stream3r_ros.viewing.scene import BACKGROUND, FLOOR_UNITS, floor_lines


@pytest.mark.parametrize('unit', [0.04, 0.6, 1.0, 37.0])
def test_the_floor_is_a_bounded_grid_at_its_height_that_fades_into_the_background(unit):
    segments, colours = floor_lines(unit, -1.5)
    assert segments.shape == colours.shape
    assert 60 < len(segments) < 1000
    np.testing.assert_allclose(segments[..., 2], -1.5)
    assert 0.8 * FLOOR_UNITS * unit < np.abs(segments[..., :2]).max() <= FLOOR_UNITS * unit * 1.001
    outer = np.abs(segments[..., :2]).max(axis=-1) > 0.99 * np.abs(segments[..., :2]).max()
    inner = np.linalg.norm(segments[..., :2], axis=-1) < 0.1 * FLOOR_UNITS * unit
    assert np.abs(colours[outer].astype(int) - BACKGROUND).max() < 10
    assert (colours[inner].min(axis=0) > np.array(BACKGROUND) + 20).all()


def test_every_line_of_the_floor_runs_along_one_axis():
    segments, _ = floor_lines(1.0, 0.0)
    along = segments[:, 1] - segments[:, 0]
    assert ((np.abs(along) > 0).sum(axis=1) == 1).all()
