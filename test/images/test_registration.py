"""Depth of the network image comes back to the pixels of the camera image."""

import numpy as np
import pytest

from stream3r_ros.images import FITS, plan_mapping
from stream3r_ros.images.registration import depth_at_camera

SIZES = [(120, 160), (480, 640), (300, 200), (97, 131)]


def camera_matrix(camera_hw) -> np.ndarray:
    height, width = camera_hw
    return np.array([[0.9 * width, 0, 0.48 * width], [0, 0.9 * width, 0.53 * height], [0, 0, 1]])


def plane_depth(image_hw, matrix) -> np.ndarray:
    """Give the depth of the plane n X = 1 that lies aslant before a camera."""
    normal = np.array([0.2, -0.2, 0.5])
    v, u = np.indices(image_hw)
    rays = np.stack([u, v, np.ones(image_hw)], axis=-1) @ np.linalg.inv(matrix).T
    return (1 / (rays @ normal)).astype(np.float32)


@pytest.mark.parametrize('fit', FITS)
@pytest.mark.parametrize('camera_hw', SIZES)
def test_a_slanted_plane_comes_back(camera_hw, fit):
    mapping = plan_mapping(camera_hw, 154, fit)
    matrix = camera_matrix(camera_hw)
    depth = plane_depth(mapping.network_hw, mapping.intrinsics_to_network(matrix))
    depth[~mapping.image_mask()] = 77.0  # what the network makes of padding
    found = depth_at_camera(depth, mapping)
    assert found.dtype == np.float32
    assert found.shape == camera_hw
    expected = plane_depth(camera_hw, matrix)
    assert (expected.max() / expected.min()) > 1.5
    seen = np.isfinite(found)
    np.testing.assert_allclose(found[seen], expected[seen], rtol=2e-5)
    if fit != 'crop':
        assert seen.all()


@pytest.mark.parametrize('fit', FITS)
@pytest.mark.parametrize('camera_hw', SIZES)
def test_exactly_the_pixels_outside_of_the_network_image_are_nan(camera_hw, fit):
    mapping = plan_mapping(camera_hw, 154, fit)
    found = depth_at_camera(np.ones(mapping.network_hw, np.float32), mapping)
    v, u = np.indices(camera_hw)
    in_network = mapping.pixels_to_network(np.stack([u, v], axis=-1))
    height, width = mapping.network_hw
    outside = (in_network < -0.5).any(-1) | (in_network > [width - 0.5, height - 0.5]).any(-1)
    np.testing.assert_array_equal(np.isnan(found), outside)


def test_nothing_floats_between_two_surfaces():
    mapping = plan_mapping((480, 640), 154)
    depth = np.where(np.indices(mapping.network_hw)[1] < 70, 1.0, 3.0).astype(np.float32)
    found = depth_at_camera(depth, mapping)
    assert set(np.unique(found)) == {1.0, 3.0}
    edge = mapping.pixels_to_camera(np.array([69.5, 0]))[0]
    columns = np.arange(640)
    assert (found[:, columns < edge - 1e-6] == 1).all()
    assert (found[:, columns > edge + 1e-6] == 3).all()


def test_a_step_as_small_as_asked_for_is_an_edge():
    mapping = plan_mapping((480, 640), 154)
    depth = np.where(np.indices(mapping.network_hw)[1] < 70, 1.0, 1.02).astype(np.float32)
    assert len(np.unique(depth_at_camera(depth, mapping))) > 2
    assert len(np.unique(depth_at_camera(depth, mapping, agreement=0.01))) == 2


def test_what_is_not_known_stays_unknown_and_does_not_spread():
    mapping = plan_mapping((480, 640), 154)
    depth = np.full(mapping.network_hw, 2.0, np.float32)
    depth[40:60, 70:90] = np.nan
    found = depth_at_camera(depth, mapping)
    v, u = np.indices((480, 640))
    nearest = np.rint(mapping.pixels_to_network(np.stack([u, v], axis=-1))).astype(int)
    nearest = np.clip(nearest, 0, [mapping.network_hw[1] - 1, mapping.network_hw[0] - 1])
    np.testing.assert_array_equal(found, depth[nearest[..., 1], nearest[..., 0]])


@pytest.mark.filterwarnings('error')
def test_depths_that_are_no_depths_are_copied_and_not_mixed():
    mapping = plan_mapping((480, 640), 154)
    depth = np.full(mapping.network_hw, 2.0, np.float32)
    depth[10, 10], depth[20, 20], depth[30, 30] = 0.0, -1.0, np.inf
    assert set(np.unique(depth_at_camera(depth, mapping))) == {-1.0, 0.0, 2.0, np.inf}


def test_a_depth_of_another_size_is_refused():
    mapping = plan_mapping((480, 640), 154)
    with pytest.raises(ValueError, match=r'depth has shape \(3, 4\), expected \(112, 154\)'):
        depth_at_camera(np.ones((3, 4), np.float32), mapping)
