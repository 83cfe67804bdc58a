"""Stamps: what is late, what is a jump, and when time has really gone elsewhere."""

import pytest

from stream3r_ros.node.stamps import LATE_IN_A_ROW, LATE_IN_ALL, StampOrder

SECOND = 10**9
BEGUN = 1_700_000_000.0


def follow(stamps_s, begin=BEGUN, arrivals_s=None, tolerance_s=1.0):
    """Judge stamps relative to ``begin``, accepting as the node does; give the kinds."""
    order, kinds = StampOrder(), []
    for index, stamp_s in enumerate(stamps_s):
        arrived = arrivals_s[index] if arrivals_s else 0.1 * index
        stamp_ns = round((begin + stamp_s) * 1e3) * 10**6 if stamp_s is not None else 0
        judgement = order.judge(stamp_ns, arrived, tolerance_s)
        kinds.append(judgement.kind)
        if judgement.kind in ('next', 'turn'):
            order.accept(stamp_ns, arrived)
    return kinds


LOOP = [0.0, 0.1, 0.2]


@pytest.mark.parametrize(
    ('case', 'stamps_s', 'kinds'),
    [
        ('one pair swapped', [0, 0.1, 0.3, 0.2, 0.4], 'next next next late next'),
        ('a whole burst backwards', [0, 0.4, 0.3, 0.2, 0.1, 0.5], 'next next late late late next'),
        ('the same stamp twice', [0, 0.1, 0.1, 0.2], 'next next late next'),
        ('a bag that loops', [0, 5, 10, 0, 5, 10], 'next next next jump turn next'),
        ('one wrong stamp far back', [0, 5, -1e6, 5.1, 5.2], 'next next jump next next'),
        ('one wrong stamp far ahead', [0, 0.1, 1e6, 0.2, 0.3], 'next next jump next next'),
        ('two wrong stamps that do not rise', [0, 9, 5, 4, 9.1], 'next next jump jump next'),
        ('wrong stamps that rise, but toward no one time', [100, 0, 99.9, 100.1],
         'next jump late next'),
        ('zero among good ones', [0, None, 0.1, None, 0.2], 'next late next late next'),
        ('zeros alone', [None, None, None], 'next late late'),
        ('a clock that begins at 0 and loops', [-BEGUN + t for t in (0, 2, 4, 6, 0, 2, 4)],
         'next next next next late jump turn'),
        ('a pause in a bag', [0, 0.1, 60, 60.1, 60.2], 'next next jump turn next'),
    ],
)  # fmt: skip
def test_one_message_decides_nothing(case, stamps_s, kinds):
    assert follow(stamps_s) == kinds.split(), case


def test_a_camera_that_really_paused_goes_on_at_once():
    assert follow([0, 0.1, 60.1], arrivals_s=[0, 0.1, 60.1]) == ['next', 'next', 'next']


def test_a_bag_that_is_played_ten_times_as_fast_has_no_jumps():
    assert follow([0, 50, 100], arrivals_s=[0, 5, 10]) == ['next'] * 3


def test_loops_shorter_than_the_tolerance_begin_anew_after_a_while():
    rising = [index / 100 for index in range(20)]
    kinds = follow([*rising, *rising])
    assert kinds.index('turn') == 20 + LATE_IN_A_ROW - 1
    assert follow(LOOP * 10).index('turn') <= 3 * LATE_IN_ALL // 2 + 3


def test_the_tolerance_is_the_parameters():
    assert follow([0, 5, 3, 3.1], tolerance_s=3.0) == ['next', 'next', 'late', 'late']
    assert follow([0, 5, 3, 3.1], tolerance_s=0.0) == ['next', 'next', 'jump', 'turn']


def test_sentences_say_by_how_much():
    order = StampOrder()
    order.accept(100 * SECOND, 0.0)
    assert '0.100 s older' in order.judge(99_900_000_000, 0.1, 1.0).sentence
    back = order.judge(50 * SECOND, 0.2, 1.0)
    assert back.is_back and back.sentence == 'time went back by 50.000 s'
    on = order.judge(500 * SECOND, 0.3, 1.0)
    assert not on.is_back and on.sentence == 'time went on by 400.000 s'
    assert 'does not set header.stamp' in order.judge(0, 0.4, 1.0).sentence
