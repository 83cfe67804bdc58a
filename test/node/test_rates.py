"""Rates over the last seconds, of images that come one by one, in groups, or no longer."""

import pytest

from stream3r_ros.node.rates import LONGEST_S, MERGED_S, Recent


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def played(moments, counts=None):
    """Give a Recent that saw something at each moment, with the clock at the last of them."""
    clock = Clock()
    recent = Recent(clock)
    for index, moment in enumerate(moments):
        clock.now = 100.0 + moment
        recent.add(counts[index] if counts else 1)
    return recent, clock


def test_a_steady_camera_has_its_rate():
    recent, _ = played([0.1 * index for index in range(40)])
    assert recent.rate_hz() == pytest.approx(10.0)


def test_groups_of_mode_full_have_the_rate_of_their_images():
    recent, _ = played([0, 6, 12, 18], counts=[8, 8, 8, 8])
    assert recent.rate_hz() == pytest.approx(8 / 6)


def test_a_rate_is_of_the_last_seconds_and_not_of_all():
    slow = [float(index) for index in range(20)]
    fast = [20 + 0.1 * index for index in range(60)]
    assert played(slow + fast)[0].rate_hz() == pytest.approx(10.0)


def test_what_no_longer_comes_fades_and_ends():
    recent, clock = played([0.1 * index for index in range(20)])
    clock.now += 1.0
    assert 5.0 < recent.rate_hz() < 10.0
    clock.now += 5.0
    assert recent.rate_hz() == 0.0
    assert Recent().rate_hz() == 0.0


def test_memory_is_bounded():
    recent, clock = played([0.0])
    for _ in range(20_000):
        clock.now += MERGED_S
        recent.add()
    assert len(recent._moments) <= LONGEST_S / MERGED_S + 2


def test_what_is_recent_is_counted_over_the_span_asked_for():
    recent, clock = played([0, 1, 2, 3], counts=[1, 2, 3, 4])
    assert recent.count(1.5) == 7
    clock.now += 10
    assert recent.count(1.5) == 0
