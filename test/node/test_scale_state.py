"""Which metric scale holds, what it multiplies, and how a robot goes on in it."""

import math

import numpy as np
import pytest
from scale_frames import BY_DEPTH, FACTOR, frame
from tf_buffers import SECOND, stamp
from tilted_robot import CAMERA_MOTION, FIRST, ROBOT_MOTION, rule, tilted_robot

from stream3r_ros.geometry.depth_filter import DepthFilter
from stream3r_ros.geometry.rigid import exp_rigid, invert_rigid
from stream3r_ros.geometry.scale import LogScale
from stream3r_ros.node.metric_scale import in_metres, in_units
from stream3r_ros.node.parameters import PARAMETERS, find_problem
from stream3r_ros.node.scale_state import AGAINST, ScaleRule, ScaleState


def follow(state, estimates, rule=BY_DEPTH, begin=0):
    """Update once a second; give after which seconds another scale begins."""
    return [
        second
        for second, estimate in enumerate(estimates, begin)
        if state.update(rule, second * SECOND, estimate is not None, estimate)
    ]


def sure(value, sigma=0.01, count=9):
    return LogScale(value, sigma, count)


def test_nothing_is_scaled_until_an_estimate_is_sure_and_then_it_stays():
    state = ScaleState(BY_DEPTH)
    assert (state.scale.state, state.scale.factor) == ('unknown', 1.0)
    unsure = [sure(1.0, sigma=0.11), sure(1.0, count=4)]
    assert follow(state, unsure) == []
    assert (state.scale.state, state.scale.factor) == ('estimating', 1.0)
    assert follow(state, [sure(1.0), sure(1.05), sure(0.95)]) == [0]
    now = state.scale
    assert (now.state, now.factor, now.segment) == ('metric', math.e, 1)


def test_a_contradiction_that_lasts_begins_another_segment():
    state = ScaleState(BY_DEPTH)
    follow(state, [sure(1.0)])
    assert follow(state, [*[sure(1.3)] * (AGAINST - 1), sure(1.0)]) == []
    assert follow(state, [sure(1.3)] * AGAINST) == [AGAINST - 1]
    assert (state.scale.segment, state.scale.state) == (2, 'metric')
    assert state.scale.factor == pytest.approx(math.exp(1.3))


def test_a_contradiction_that_is_not_sure_itself_loses_the_scale_and_keeps_the_factor():
    state = ScaleState(BY_DEPTH)
    follow(state, [sure(1.0)])
    follow(state, [sure(2.0, sigma=0.2)] * AGAINST)
    assert (state.scale.segment, state.scale.state) == (1, 'lost')
    assert state.scale.factor == math.e
    follow(state, [sure(1.0)])
    assert state.scale.state == 'metric'


def test_a_silent_source_loses_the_scale_and_a_word_finds_it():
    state = ScaleState(BY_DEPTH)
    follow(state, [sure(1.0), *[None] * 5])
    assert state.scale.state == 'metric'
    follow(state, [None], begin=6)
    assert (state.scale.state, state.scale.factor) == ('lost', math.e)
    follow(state, [sure(1.0)], begin=7)
    assert state.scale.state == 'metric'


def test_a_new_stream_has_another_unit():
    state = ScaleState(BY_DEPTH)
    follow(state, [sure(1.0)])
    state.begin(BY_DEPTH)
    assert (state.scale.factor, state.scale.state, state.scale.segment) == (1.0, 'unknown', 0)


def test_a_fixed_scale_holds_from_the_first_frame():
    now = ScaleState(ScaleRule('fixed', 2.0)).scale
    assert (now.factor, now.state, now.source, now.segment) == (2.0, 'metric', 'fixed', 0)


def test_pose_and_depth_of_a_frame_are_multiplied_together():
    pose = exp_rigid(np.array([1.0, 2, 3, 0.1, 0.2, 0.3]))
    scaled = in_metres(frame(1, pose).estimate, FACTOR)
    np.testing.assert_allclose(scaled.depth, 2 * FACTOR)
    np.testing.assert_allclose(scaled.world_from_camera[:3, 3], FACTOR * pose[:3, 3])
    np.testing.assert_array_equal(scaled.world_from_camera[:3, :3], pose[:3, :3])
    limits = in_units(DepthFilter(min_depth=1.0, max_depth=5.0), FACTOR)
    assert (limits.min_depth, limits.max_depth) == (0.4, 2.0)


def scaled(motion, factor):
    motion = motion.copy()
    motion[:3, 3] *= factor
    return motion


def test_a_robot_goes_on_in_metres_from_where_it_was_published():
    """It drives 1 m ahead, by half of which the network says so; and then again."""
    placement = tilted_robot()
    step = CAMERA_MOTION
    for t, unit in ((1, FIRST), (2, scaled(step, 0.5))):
        before = placement.place(stamp(t), 'eye', unit, rule()).pose
    placement.rescale(2.0)
    after = placement.place(stamp(3), 'eye', step @ step, rule()).pose
    np.testing.assert_allclose(invert_rigid(before) @ after, ROBOT_MOTION, atol=1e-9)


def test_a_stream_that_has_no_pose_as_yet_begins_at_the_origin_in_metres():
    placement = tilted_robot()
    placement.rescale(2.0)
    np.testing.assert_allclose(
        placement.place(stamp(1), 'eye', FIRST, rule()).pose, np.eye(4), atol=1e-9
    )


def test_a_scale_that_is_measured_does_not_go_with_mode_full():
    defaults = {parameter.name: parameter.default for parameter in PARAMETERS}
    for source in ('odometry', 'depth'):
        problem = find_problem({**defaults, 'mode': 'full', 'scale.source': source})
        assert problem.startswith('mode must be causal or window while scale.source is')
    assert find_problem({**defaults, 'mode': 'full', 'scale.source': 'fixed'}) is None
