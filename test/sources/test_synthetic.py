"""The synthetic room is a source like any other."""

from itertools import islice

import numpy as np
import pytest

from stream3r_ros.sources import SourceError, open_source


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


@pytest.mark.parametrize('seed', ['', 'x', '-1', '1.5', '²'])
def test_a_seed_that_is_no_number_is_refused(seed):
    with pytest.raises(SourceError, match='expected a whole number as in synthetic:7'):
        open_source(f'synthetic:{seed}')


def test_an_impossible_size_is_refused():
    with pytest.raises(SourceError, match='synthetic:7 cannot be made: image_hw is'):
        open_source('synthetic:7', synthetic_hw=(0, 8))
