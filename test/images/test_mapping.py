"""Pixels and intrinsics go from the camera image to the network image and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream3r_ros.images import FITS, ImageMapping, plan_mapping, prepare

mappings = st.builds(
    plan_mapping,
    st.tuples(st.integers(1, 3000), st.integers(1, 3000)),
    st.integers(1, 40).map(lambda patches: 14 * patches),
    st.sampled_from(FITS),
)
coordinates = st.floats(-1e4, 1e4)


@given(mappings, coordinates, coordinates)
def test_pixels_come_back_from_the_network_image(mapping, u, v):
    back = mapping.pixels_to_camera(mapping.pixels_to_network(np.array([u, v])))
    np.testing.assert_allclose(back, [u, v], rtol=1e-6, atol=1e-6 * max(mapping.camera_hw))


@given(mappings, st.floats(1, 5000), st.floats(1, 5000), coordinates, coordinates)
def test_intrinsics_come_back_from_the_network_image(mapping, fx, fy, cx, cy):
    intrinsics = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    back = mapping.intrinsics_to_camera(mapping.intrinsics_to_network(intrinsics))
    np.testing.assert_allclose(back, intrinsics, rtol=1e-6, atol=1e-6 * max(mapping.camera_hw))


@given(mappings, coordinates, coordinates, st.floats(0.1, 50))
def test_projecting_with_mapped_intrinsics_equals_mapping_the_projection(mapping, x, y, z):
    intrinsics = np.array([[500.0, 2.0, 321.0], [0, 480.0, 222.5], [0, 0, 1]])
    ray = np.array([x / 1e3, y / 1e3, z]) / z
    in_camera, in_network = intrinsics @ ray, mapping.intrinsics_to_network(intrinsics) @ ray
    np.testing.assert_allclose(
        mapping.pixels_to_network(in_camera[:2]), in_network[:2], rtol=1e-9, atol=1e-6
    )


@given(mappings)
def test_the_corners_of_the_image_stay_its_corners(mapping):
    """The outer edges, half a pixel outside the first and last centres, keep their place."""
    height, width = mapping.camera_hw
    edges = mapping.pixels_to_network(np.array([[-0.5, -0.5], [width - 0.5, height - 0.5]]))
    down, right = mapping.offset_vu
    resized_h, resized_w = mapping.resized_hw
    expected = [[right - 0.5, down - 0.5], [right + resized_w - 0.5, down + resized_h - 0.5]]
    np.testing.assert_allclose(edges, expected, atol=1e-6)


@given(mappings)
def test_the_mask_counts_what_the_slices_cut_out(mapping):
    mask = mapping.image_mask()
    assert mask.shape == mapping.network_hw
    assert mask[mapping.image_slices].all()
    assert mask.sum() == mask[mapping.image_slices].size
    assert mapping.has_padding == (not mask.all())


@pytest.mark.parametrize('fit', FITS)
def test_a_white_dot_is_found_where_the_mapping_says(fit):
    image = np.zeros((300, 200, 3), np.uint8)
    image[138:143, 48:53] = 255
    tensor, mapping = prepare(image, 280, fit)
    weight = tensor[0].numpy() * mapping.image_mask()
    rows, columns = np.indices(weight.shape)
    centre = (columns * weight).sum() / weight.sum(), (rows * weight).sum() / weight.sum()
    np.testing.assert_allclose(centre, mapping.pixels_to_network(np.array([50, 140])), atol=0.05)


def test_shapes_that_are_not_pixels_or_intrinsics_are_refused():
    mapping = ImageMapping((4, 4), (14, 14), (14, 14), (0, 0))
    with pytest.raises(ValueError, match=r'\(3,\), expected \(..., 2\)'):
        mapping.pixels_to_network(np.zeros(3))
    with pytest.raises(ValueError, match=r'\(3, 4\), expected \(..., 3, 3\)'):
        mapping.intrinsics_to_camera(np.zeros((3, 4)))
