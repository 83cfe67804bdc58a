"""Records that may go on for ever stay bounded and even."""

import numpy as np
import pytest

from stream3r_ros.viewing.thinning import Thinned, evenly


@pytest.mark.parametrize('count', [1, 7, 8, 9, 1000])
def test_kept_items_are_bounded_and_evenly_spread_from_the_first_on(count):
    record = Thinned(8)
    for item in range(count):
        record.add(item)
    assert record.items[0] == 0
    assert min(count, 4) <= len(record.items) <= 8
    assert len(set(np.diff(record.items))) <= 1


def test_a_cleared_record_begins_anew():
    record = Thinned(2)
    for item in range(9):
        record.add(item)
    record.clear()
    assert record.add('a')
    assert record.add('b')
    assert record.items == ['a', 'b']


def test_even_choices_have_first_and_last():
    assert evenly(10, 4).tolist() == [0, 3, 6, 9]
    assert evenly(3, 5).tolist() == [0, 1, 2]
    assert evenly(0, 5).tolist() == []
