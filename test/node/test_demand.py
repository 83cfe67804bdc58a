"""What nobody wants is not computed, what a policy forgets is forgotten, on a running node."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from node_harness import OUTPUTS, NodeProcess, Participant, picture
from robot import heard_on, running
from sensor_msgs.msg import Image
from std_srvs.srv import Trigger

from stream3r_ros.network.demo import DEMO_CONFIG
from stream3r_ros.network.iterations import with_camera_iterations
from stream3r_ros.node.demand import DepthDemand
from stream3r_ros.node.odometry import Uncertainty
from stream3r_ros.streaming import frame_bytes

pytestmark = pytest.mark.timeout(120)
DENSE = ('depth', 'depth_info', 'confidence', 'points')


def due(wanted, every):
    demand = DepthDemand()
    return [demand.is_due(is_wanted, every) for is_wanted in wanted]


def test_every_nth_frame_is_due_beginning_with_the_first():
    assert due([True] * 7, every=3) == [True, False, False, True, False, False, True]
    assert due([True] * 3, every=1) == [True] * 3


def test_who_begins_to_listen_gets_the_next_frame():
    assert due([True, False, True, True, True], every=3) == [True, False, True, False, False]


def test_a_confidence_is_held_until_nobody_wants_depth():
    demand = DepthDemand()
    demand.is_due(True, 2)
    demand.note(3.0)
    demand.is_due(True, 2)
    demand.note(None)
    assert demand.mean_confidence == 3.0
    demand.is_due(False, 2)
    assert demand.mean_confidence is None


def test_a_pose_without_confidence_has_the_variance_of_a_trusted_one():
    model = Uncertainty()
    trusted = model.pose_variances(model.trusted_confidence)
    np.testing.assert_array_equal(model.pose_variances(None), trusted)
    assert (model.pose_variances(math.nan) > trusted).all()


def status_of(robot: Participant, seed: int = 0):
    return robot.answer(robot.publish_and_wait(picture(seed)), 'status')


def stop_listening(robot: Participant, outputs):
    """Give up subscriptions, and wait until the node has noticed."""
    topics = [OUTPUTS[name][1] for name in outputs]
    mine = [one for one in robot.node.subscriptions if one.topic_name in topics]
    for subscription in mine:
        robot.node.destroy_subscription(subscription)
    del mine
    robot.settle()


def test_a_change_of_policy_begins_a_stream_and_keeps_the_weights(own_domain):
    with running(own_domain) as (robot, process):
        before = status_of(robot)
        keyframes = {'cache__recent_frames': 1, 'cache__keyframes': 2}
        assert robot.set_parameters(cache__policy='keyframes', **keyframes).successful
        statuses = [status_of(robot, seed) for seed in range(6)]
        assert {status.mode for status in statuses} == {'keyframes'}
        assert {status.stream for status in statuses} == {before.stream + 1}
        assert [status.cached_frames for status in statuses] == [1, 2, 3, 4, 4, 4]
        process.wait_for_output('became keyframes (2 and 1 recent frames)')
        frame_mb = statuses[0].cache_bytes / 4 / 1e6

        assert robot.set_parameters(cache__keyframes=3).successful
        assert status_of(robot).stream == before.stream + 2
        budget = {'cache__policy': 'budget', 'cache__budget_mb': 2 * frame_mb}
        refusal = robot.set_parameters(**budget)  # holds two 4:3 frames, and no square ones
        assert not refusal.successful
        assert 'is too small: the anchor and one frame need' in refusal.reason
        assert status_of(robot).stream == before.stream + 2
        budget['cache__budget_mb'] = 3 * frame_mb
        assert robot.set_parameters(**budget).successful
        assert [status_of(robot).cached_frames for _ in range(4)] == [1, 2, 3, 3]

        bytes_before = status_of(robot).cache_bytes
        assert robot.set_parameters(cache__policy='window', window_size=1).successful
        assert robot.set_parameters(cache__keep_special_tokens=4).successful
        assert [status_of(robot).cached_frames for _ in range(4)] == [1, 2, 2, 2]
        process.wait_for_output('special tokens of 4 more')
        assert 0 < status_of(robot).cache_bytes < bytes_before
        budget['cache__keep_special_tokens'] = 0
        assert robot.set_parameters(**budget).successful

        refusal = robot.set_parameters(mode='full')
        assert refusal.reason == "cache.policy must be auto while mode is full; found 'budget'"
        assert robot.set_parameters(mode='full', cache__policy='auto').successful
        assert process.output().count('network ready after') == 1


def test_poses_alone_compute_no_depth_until_somebody_wants_it(own_domain, tmp_path):
    parameters = {'map__folder': tmp_path, 'network__camera_iterations': 2}
    with running(own_domain, **parameters) as (robot, _):
        status = status_of(robot)
        assert status.mean_confidence >= 1
        config = with_camera_iterations(DEMO_CONFIG, 2)
        one_frame = frame_bytes(config, (84, 112), torch.float32, ('depth', 'pose'))
        assert status.cache_bytes == 6 * one_frame
        stop_listening(robot, DENSE)
        robot.reset_stream()
        stamps = [robot.publish_and_wait(picture(seed)) for seed in range(3)]
        for stamp in stamps:
            status = robot.answer(stamp, 'status')
            assert math.isnan(status.mean_confidence)
            assert math.isnan(status.valid_fraction)
            robot.answer(stamp, 'tf')
            robot.answer(stamp, 'pose')
            assert 0 < robot.answer(stamp, 'odom').pose.covariance[0] < 0.01

        save = robot.node.create_client(Trigger, '/stream3r/save_map')
        assert 'map.always' in robot.call(save, Trigger.Request()).message
        assert robot.set_parameters(map__always=True).successful
        assert status_of(robot).valid_fraction == 1
        robot.settle()
        assert robot.call(save, Trigger.Request()).success
        assert Path(tmp_path / 'map.ply').exists()
        assert robot.set_parameters(map__always=False, lost__confidence=1e-3).successful
        assert status_of(robot).mean_confidence >= 1
        assert robot.set_parameters(lost__confidence=0.0, depth__every=3).successful
        assert math.isnan(status_of(robot).mean_confidence)

        depths = heard_on(robot, Image, '/stream3r/depth/image')
        while not depths:
            robot.publish_and_wait(picture())
        stamps = [robot.publish_and_wait(picture(seed)) for seed in range(6)]
        has_depth = [robot.answer(s, 'status').valid_fraction == 1 for s in stamps]
        assert has_depth == [False, False, True] * 2
        robot.settle()
        heard = {d.header.stamp.sec * 10**9 + d.header.stamp.nanosec for d in depths}
        assert [s in heard for s in stamps] == has_depth


@pytest.mark.parametrize(
    ('parameters', 'said'),
    [
        ({'cache__policy': 'best'}, 'cache.policy must be a string (auto, causal,'),
        ({'cache__policy': 'budget', 'cache__budget_mb': 0.5}, 'of 500000 bytes is too small'),
        ({'mode': 'causal', 'cache__keep_special_tokens': 3}, 'forgets no frame'),
    ],
)
def test_what_cannot_be_followed_is_refused_before_a_stream_begins(own_domain, parameters, said):
    with NodeProcess('stream3r_node', own_domain, **parameters) as process:
        process.wait_for_output(said)
        assert 'Traceback' not in process.output()
        assert 'network ready' not in process.output()
