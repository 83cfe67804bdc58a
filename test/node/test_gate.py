"""The way in to a stream: what a jump of time does to the images around it."""

from dataclasses import dataclass

import pytest

from stream3r_ros.node import gate as gate_module
from stream3r_ros.node.gate import Gate, Passed


@dataclass(frozen=True)
class Image:
    """An image by its time; they arrive ten a second."""

    stamp_s: float
    arrived: float = 0.0

    @property
    def stamp_ns(self) -> int:
        return round(self.stamp_s * 1e9)


def through(stamps_s, tolerance_s=1.0):
    """Send images through; give what was decided of each: passed, refused, or began anew."""
    gate, decided = Gate(), []
    for index, stamp_s in enumerate(stamps_s):
        for each in gate.put([Image(stamp_s, 0.1 * index)], tolerance_s):
            kind = 'passed' if isinstance(each, Passed) else 'refused'
            if isinstance(each, Passed) and each.turn:
                kind = 'anew'
            decided += [(job.stamp_s, kind) for job in each.jobs]
    return decided, gate


def test_every_image_of_a_bag_that_loops_is_taken():
    decided, _ = through([100, 105, 110, 100, 104, 109])
    assert decided == [
        (100, 'passed'), (105, 'passed'), (110, 'passed'),
        (100, 'anew'), (104, 'passed'), (109, 'passed'),
    ]  # fmt: skip


def test_one_image_of_another_time_is_refused_and_all_else_goes_on():
    decided, _ = through([100, 101, 5, 102, 1e6, 103])
    assert decided == [
        (100, 'passed'), (101, 'passed'), (5, 'refused'), (102, 'passed'),
        (1e6, 'refused'), (103, 'passed'),
    ]  # fmt: skip


def test_a_pause_begins_nothing_by_itself():
    decided, _ = through([100, 101, 500, 501])
    assert [kind for _, kind in decided] == ['passed'] * 4


def test_at_most_one_image_waits_and_it_is_released_when_nobody_contradicts(monkeypatch):
    decided, gate = through([100, 50])
    assert decided == [(100, 'passed')] and gate.is_holding
    assert gate.release_overdue() == []
    monkeypatch.setattr(gate_module, 'HELD_S', 0.0)
    (released,) = gate.release_overdue()
    assert (released.jobs[0].stamp_s, released.turn) == (50, 'time went back by 50.000 s')
    assert not gate.is_holding and gate.release() == []


@pytest.mark.parametrize('cameras', [1, 3])
def test_simultaneous_images_share_their_fate(cameras):
    gate = Gate()
    gate.put([Image(100)] * cameras, 1.0)
    (refused,) = gate.put([Image(99.5)] * cameras, 1.0)
    assert len(refused.jobs) == cameras and '0.500 s older' in refused.sentence
