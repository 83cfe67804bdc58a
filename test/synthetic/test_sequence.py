"""Sequences give frames with everything that is true about them."""

from itertools import islice

import numpy as np
import pytest

from stream3r_ros.synthetic import SyntheticSequence, pinhole


def test_every_iteration_starts_again_and_is_the_same():
    sequence = SyntheticSequence(2, 3, (30, 40), rate_hz=10, texels_per_m=8.0)
    first, second = list(sequence), list(sequence)
    assert [frame.stamp_s for frame in first] == [0.0, 0.1, 0.2]
    for one, other in zip(first, second, strict=True):
        assert np.array_equal(one.image_rgb, other.image_rgb)
        assert np.array_equal(one.world_from_camera, other.world_from_camera)


def test_frames_have_the_promised_types_and_finite_depth(walk):
    frame = walk.frame(0)
    assert frame.image_rgb.shape == (120, 160, 3)
    assert frame.image_rgb.dtype == np.uint8
    assert frame.depth_m.shape == (120, 160)
    assert frame.depth_m.dtype == np.float32
    assert np.isfinite(frame.depth_m).all()
    assert frame.depth_m.min() > 0.05


def test_a_sequence_without_length_goes_on(walk):
    assert len(list(islice(walk, 7))) == 7


def test_one_loop_later_the_frame_is_the_same(walk):
    period = round(walk.path.loop_s * walk.rate_hz)
    np.testing.assert_allclose(walk.frame(3).depth_m, walk.frame(3 + period).depth_m, rtol=1e-3)


def test_the_intrinsics_have_the_field_of_view_that_was_asked_for():
    intrinsics = pinhole((90, 160), np.radians(60))
    edges = np.linalg.inv(intrinsics) @ np.array([[-0.5, 159.5], [44.5, 44.5], [1, 1]])
    np.testing.assert_allclose(np.degrees(np.arctan(edges[0])), [-30, 30])
    np.testing.assert_allclose(edges[1], 0, atol=1e-12)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'image_hw': (0, 10)}, r'image_hw is \(0, 10\)'),
        ({'rate_hz': 0.0}, 'rate_hz is 0.0, expected more than 0'),
        ({'frames': -1}, 'frames is -1, expected 0 or more'),
    ],
)
def test_impossible_sequences_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        SyntheticSequence(0, **options)
