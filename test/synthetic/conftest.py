"""A room for all tests of this folder; building one takes about a second."""

import pytest

from stream3r_ros.synthetic import SyntheticSequence


@pytest.fixture(scope='session')
def walk():
    """Walk through room 1 at 160 x 120 for ever, four frames a second."""
    return SyntheticSequence(1, None, (120, 160), rate_hz=4.0, texels_per_m=48.0)


@pytest.fixture(scope='session')
def room(walk):
    """Give the room of the walk."""
    return walk.room
