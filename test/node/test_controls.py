"""What can be changed on a running node, and what cannot."""

import numpy as np
import pytest
from node_harness import picture

pytestmark = pytest.mark.timeout(120)


def latest_status(robot):
    return robot.answer(robot.publish_and_wait(picture()), 'status')


def test_a_change_of_mode_restarts_the_stream_and_says_so(robot, shared_node):
    before = latest_status(robot)
    assert (before.mode, before.cached_frames) == ('window', 1)
    assert robot.set_parameters(mode='causal').successful
    after = latest_status(robot)
    assert (after.mode, after.stream, after.cached_frames) == ('causal', before.stream + 1, 1)
    shared_node.wait_for_output('mode window (5 frames) became causal')


def test_a_smaller_window_holds_fewer_frames(robot):
    robot.set_parameters(window_size=2)
    counts = [latest_status(robot).cached_frames for _ in range(5)]
    assert counts == [1, 2, 3, 3, 3]


def test_the_window_size_does_not_touch_a_causal_stream(robot):
    robot.set_parameters(mode='causal')
    before = latest_status(robot)
    robot.set_parameters(window_size=3)
    after = latest_status(robot)
    assert (after.stream, after.cached_frames) == (before.stream, before.cached_frames + 1)


def test_another_type_of_the_cache_restarts_the_stream_and_says_so(robot, shared_node):
    before = latest_status(robot)
    assert robot.set_parameters(cache__dtype='int8').successful
    after = latest_status(robot)
    assert (after.stream, after.cached_frames) == (before.stream + 1, 1)
    assert after.cache_bytes < before.cache_bytes / 2
    shared_node.wait_for_output('became window (5 frames, cached in int8)')


def test_min_confidence_turns_depth_and_points_to_nan_without_a_restart(robot):
    before = latest_status(robot)
    assert before.valid_fraction == 1
    robot.set_parameters(min_confidence=1e5)
    stamp = robot.publish_and_wait(picture())
    status = robot.answer(stamp, 'status')
    assert (status.stream, status.valid_fraction) == (before.stream, 0)
    depth = np.frombuffer(robot.answer(stamp, 'depth').data, np.float32)
    cloud = np.frombuffer(robot.answer(stamp, 'points').data, np.float32).reshape(-1, 5)
    assert np.isnan(depth).all()
    assert np.isnan(cloud[:, :3]).all()


def test_a_whole_number_serves_where_a_double_is_expected(robot):
    assert robot.set_parameters(min_confidence=100000).successful
    assert latest_status(robot).valid_fraction == 0


def test_points__stride_thins_the_cloud_and_not_the_depth(robot):
    robot.set_parameters(points__stride=4)
    stamp = robot.publish_and_wait(picture())
    cloud, depth = robot.answer(stamp, 'points'), robot.answer(stamp, 'depth')
    assert (cloud.height, cloud.width) == (21, 28)
    assert (depth.height, depth.width) == (84, 112)


def test_full_mode_answers_each_image_of_a_group_with_its_own_stamp(robot):
    robot.set_parameters(mode='full')
    stamps = []
    while not robot.messages('status'):
        # One at a time: a group is gathered from images that were not dropped.
        stamps.append(robot.publish(picture(len(stamps))))
        robot.settle()
        assert len(stamps) < 20
    robot.settle()
    answered = [s for s in stamps if robot.find('status', s)]
    assert len(answered) == len(robot.messages('status')) == 8
    assert len({robot.find('status', s).stream for s in answered}) == 1
    for output in ('tf', 'points', 'depth', 'depth_info', 'pose'):
        assert all(robot.find(output, s) for s in answered), output


def test_a_stream_that_starts_with_three_frames_answers_them_together(robot):
    robot.set_parameters(start_frames=3)
    stamps = []
    while not robot.messages('status'):
        stamps.append(robot.publish(picture(len(stamps))))
        robot.settle()
        assert len(stamps) < 8
    stamps.append(robot.publish_and_wait(picture(9)))
    answered = [s for s in stamps if robot.find('status', s)]
    assert len(answered) == 4
    assert [robot.find('status', s).cached_frames for s in answered] == [3, 3, 3, 4]
    assert all(robot.find('depth', s) for s in answered)


def test_reset_begins_a_stream_whose_first_frame_knows_nothing_of_the_past(robot):
    first = robot.publish_and_wait(picture(1))
    second = robot.publish_and_wait(picture(1))
    response = robot.reset_stream()
    again = robot.publish_and_wait(picture(1))
    stream = robot.answer(again, 'status').stream
    assert stream == robot.answer(first, 'status').stream + 1
    assert str(stream) in response.message
    assert robot.answer(again, 'status').cached_frames == 1
    assert robot.answer(again, 'depth').data == robot.answer(first, 'depth').data
    assert robot.answer(again, 'depth').data != robot.answer(second, 'depth').data


@pytest.mark.parametrize(
    ('change', 'said'),
    [
        ({'mode': 'sideways'}, ('mode', 'sideways', 'causal, window, full')),
        ({'window_size': 0}, ('window_size', '0', '1')),
        ({'window_size': 257}, ('window_size', '257', '256')),
        ({'cache__dtype': 'int4'}, ('cache.dtype', 'int4', 'compute, int8, float8')),
        ({'min_confidence': 0.5}, ('min_confidence', '0.5', '1.0')),
        ({'min_confidence': float('nan')}, ('min_confidence', 'nan')),
        ({'points__stride': -1}, ('points.stride', '-1', '0')),
        ({'mode': 3}, ('mode', '3', 'string')),
        ({'window_size': 2.5}, ('window_size', '2.5', 'integer')),
        ({'min_confidence': True}, ('min_confidence', 'True', 'number')),
        ({'network__source': 'elsewhere'}, ('network.source', 'read-only')),
        ({'points__stride': 2, 'mode': 'sideways'}, ('sideways',)),
    ],
)
def test_a_bad_value_is_refused_in_a_sentence_and_changes_nothing(robot, change, said):
    before = latest_status(robot)
    result = robot.set_parameters(**change)
    assert not result.successful
    for part in said:
        assert part in result.reason
    stamp = robot.publish_and_wait(picture())
    after = robot.answer(stamp, 'status')
    assert (after.stream, after.mode) == (before.stream, before.mode)
    assert robot.answer(stamp, 'points').width == 112
