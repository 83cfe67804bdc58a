"""When a stream is lost, when it is found, and when it asks for a new one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream3r_ros.node.lost import LostDetector, LostRule, LostState

SECOND = 10**9
GOOD, BAD = 5.0, 1.5
RULE = LostRule(confidence=2.0, frames=3)
BROKEN = np.full((4, 4), np.nan)


def follow(confidences, rule=RULE, detector=None):
    """Give the states after frames that are one second apart."""
    detector = detector or LostDetector()
    return [
        detector.update(rule, second * SECOND, confidence, np.eye(4))
        for second, confidence in enumerate(confidences)
    ]


def lost(states):
    return [state.lost for state in states]


def test_so_many_bad_frames_in_a_row_are_lost():
    assert lost(follow([GOOD, BAD, BAD, BAD, BAD])) == [False, False, False, True, True]


def test_one_good_frame_among_bad_ones_begins_the_count_again():
    assert not any(lost(follow([BAD, BAD, GOOD, BAD, BAD, GOOD])))


def test_a_frame_whose_confidence_was_not_computed_changes_nothing():
    assert lost(follow([BAD, None, BAD, None, BAD, None])) == [False] * 4 + [True] * 2
    assert lost(follow([BAD] * 3 + [GOOD, None, GOOD, None, GOOD])) == [False] * 2 + [True] * 5 + [
        False
    ]
    states = follow([BAD] * 3 + [None] * 4, LostRule(confidence=2.0, frames=3, reset_after_s=3))
    assert [state.reset for state in states] == [False] * 5 + [True, False]


def test_a_broken_pose_is_bad_even_without_a_confidence():
    detector = LostDetector()
    states = [detector.update(RULE, second * SECOND, None, BROKEN) for second in range(3)]
    assert lost(states) == [False, False, True]


def test_it_is_found_after_as_many_good_frames():
    states = follow([BAD] * 3 + [GOOD, GOOD, BAD, GOOD, GOOD, GOOD, GOOD])
    assert lost(states) == [False, False, True] + [True] * 5 + [False, False]


def test_the_threshold_itself_is_good():
    assert not any(lost(follow([2.0] * 9)))


@pytest.mark.parametrize('confidence, pose', [(GOOD, BROKEN), (np.nan, np.eye(4))])
def test_what_is_not_finite_is_a_bad_frame(confidence, pose):
    detector = LostDetector()
    assert lost([detector.update(RULE, n, confidence, pose) for n in range(3)])[-1]


def test_a_threshold_of_zero_is_never_lost():
    detector = LostDetector()
    never = LostRule(confidence=0.0, frames=1, reset_after_s=1.0)
    assert detector.update(never, 0, np.nan, BROKEN) == LostState()


def test_switching_the_threshold_off_ends_the_lost_state():
    detector = LostDetector()
    assert lost(follow([BAD] * 3, detector=detector))[-1]
    assert not detector.update(LostRule(0.0), 9 * SECOND, BAD, np.eye(4)).lost
    assert not detector.update(RULE, 10 * SECOND, BAD, np.eye(4)).lost


def test_a_new_stream_is_asked_for_once_after_the_time():
    rule = LostRule(confidence=2.0, frames=1, reset_after_s=3.0)
    states = follow([BAD] * 9, rule)
    assert [state.reset for state in states] == [False] * 3 + [True] + [False] * 5


def test_a_stream_that_is_lost_again_asks_again():
    rule = LostRule(confidence=2.0, frames=1, reset_after_s=2.0)
    states = follow([BAD, BAD, BAD, GOOD, BAD, BAD, BAD], rule)
    assert [n for n, state in enumerate(states) if state.reset] == [2, 6]


def test_a_new_stream_is_not_lost():
    detector = LostDetector()
    follow([BAD] * 3, detector=detector)
    detector.begin()
    assert lost(follow([BAD, BAD, BAD], detector=detector)) == [False, False, True]


def test_time_that_goes_back_begins_the_wait_again():
    detector = LostDetector()
    rule = LostRule(confidence=2.0, frames=1, reset_after_s=2.0)
    asked = [
        detector.update(rule, second * SECOND, BAD, np.eye(4)).reset for second in (50, 1, 2, 3)
    ]
    assert asked == [False, False, False, True]


@given(
    st.lists(st.one_of(st.floats(), st.sampled_from([GOOD, BAD])), max_size=60),
    st.integers(1, 5),
)
def test_the_state_never_changes_twice_within_the_frames_of_the_rule(confidences, frames):
    states = lost(follow(confidences, LostRule(2.0, frames)))
    changes = [n for n in range(1, len(states)) if states[n] != states[n - 1]]
    assert all(later - earlier >= frames for earlier, later in zip(changes, changes[1:]))  # noqa: B905
