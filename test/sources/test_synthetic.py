"""The synthetic room is a source like any other."""

from itertools import islice

import numpy as np
import pytest

from stream3r_ros.sources import SourceError, open_source
from stream3r_ros.synthetic import CameraPath, SyntheticSequence


def test_a_synthetic_source_has_frames_intrinsics_and_a_length():
    source = open_source('synthetic:7', synthetic_hw=(30, 40), synthetic_frames=3, rate_hz=10)
    frames = list(source)
    assert (source.frame_count, source.rate_hz, source.name) == (3, 10, 'synthetic:7')
    assert [frame.stamp_s for frame in frames] == [0.0, 0.1, 0.2]
    assert frames[0].image_rgb.shape == (30, 40, 3)
    assert frames[0].intrinsics[0, 2] == pytest.approx(19.5)
    assert frames[0].encoded is None
    again = next(iter(source))
    assert np.array_equal(again.image_rgb, frames[0].image_rgb)


def test_without_a_number_of_frames_it_goes_on():
    source = open_source('synthetic:7', synthetic_hw=(6, 8))
    assert source.frame_count is None
    assert len(list(islice(source, 5))) == 5


def test_its_frames_come_with_the_truth():
    source = open_source('synthetic:7', synthetic_hw=(30, 40))
    frame, true = next(iter(source)), SyntheticSequence(7, None, (30, 40)).frame(0)
    np.testing.assert_array_equal(frame.depth_m, true.depth_m)
    np.testing.assert_array_equal(frame.world_from_camera, true.world_from_camera)


def test_another_path_goes_through_the_same_room():
    own = open_source('synthetic:7', synthetic_hw=(6, 8), synthetic_frames=1)
    other = open_source('synthetic:7/1000000', synthetic_hw=(6, 8), synthetic_frames=1)
    assert other.name == 'synthetic:7/1000000'
    poses = [next(iter(source)).world_from_camera for source in (own, other)]
    assert np.linalg.norm(poses[0][:3, 3] - poses[1][:3, 3]) > 0.1
    expected = CameraPath.from_seed(own.sequence.room, 1_000_000).pose(0.0)
    np.testing.assert_array_equal(poses[1], expected)


@pytest.mark.parametrize('seed', ['', 'x', '-1', '1.5', '²', '7/', '/7', '7/x', '7/1/2'])
def test_a_seed_that_is_no_number_is_refused(seed):
    with pytest.raises(SourceError, match='expected a whole number as in synthetic:7'):
        open_source(f'synthetic:{seed}')


def test_an_impossible_size_is_refused():
    with pytest.raises(SourceError, match='synthetic:7 cannot be made: image_hw is'):
        open_source('synthetic:7', synthetic_hw=(0, 8))
