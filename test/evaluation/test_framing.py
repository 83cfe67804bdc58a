"""A framed view shows the same scene: pixels, depth and intrinsics move together."""

import numpy as np
import pytest

from stream3r_ros.evaluation.framing import four_by_three, frame_view, measured_window

KINECT = np.array([[525.0, 0, 320], [0, 525, 240], [0, 0, 1]])


def ramps(image_hw):
    """Make an image and a depth whose values are the column, so that places can be read off."""
    columns = np.tile(np.arange(image_hw[1], dtype=np.float32), (image_hw[0], 1))
    image = np.repeat((columns / image_hw[1] * 255).astype(np.uint8)[..., None], 3, axis=2)
    return image, columns


def test_published_sizes():
    assert four_by_three(518, 14) == (392, 518)
    assert four_by_three(112, 14) == (84, 112)
    assert measured_window(518) == (224, 224)


def test_a_kinect_frame_becomes_392_by_518():
    view = frame_view(*ramps((480, 640)), KINECT, (392, 518))
    assert view.image.shape == (3, 392, 518)
    assert view.depth_m.shape == (392, 518)
    assert view.intrinsics[1, 1] == pytest.approx(525 * 392 / 480)
    assert view.intrinsics[0, 2] == pytest.approx(259, abs=1)


@pytest.mark.parametrize('centre', [(320, 240), (300, 260)])
@pytest.mark.parametrize('target_hw', [(392, 518), (84, 112), (96, 112)])
def test_depth_pixels_keep_their_rays(centre, target_hw):
    matrix = KINECT.copy()
    matrix[:2, 2] = centre
    view = frame_view(*ramps((480, 640)), matrix, target_hw)
    u = np.arange(target_hw[1])
    ray = (u - view.intrinsics[0, 2]) / view.intrinsics[0, 0]
    column = matrix[0, 0] * ray + matrix[0, 2]
    # The nearest pixel is at most half a pixel away.
    assert np.abs(view.depth_m[target_hw[0] // 2] - column).max() <= 0.501
    image_column = view.image[0, target_hw[0] // 2].numpy() * 640
    assert np.abs(image_column - column)[3:-3].max() < 4


def test_the_principal_point_comes_to_the_middle():
    matrix = KINECT.copy()
    matrix[:2, 2] = 250, 200
    view = frame_view(*ramps((480, 640)), matrix, (84, 112))
    np.testing.assert_allclose(view.intrinsics[:2, 2], [56, 42], atol=1)


def test_sizes_that_differ_and_a_principal_point_outside_are_sentences():
    image, depth = ramps((48, 64))
    with pytest.raises(ValueError, match='differ in size'):
        frame_view(image, depth[:40], KINECT, (84, 112))
    with pytest.raises(ValueError, match='principal point 240 lies outside the image, 0..48'):
        frame_view(image, depth, KINECT, (84, 112))
