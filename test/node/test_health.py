"""What goes wrong around the node, and what it says: time, silence, lost streams, no memory."""

import resource
from pathlib import Path

import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from node_harness import Participant, picture, wait_until
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from robot import heard_on, running, wait_for
from sensor_msgs.msg import Image

pytestmark = pytest.mark.timeout(180)


def diagnosed(robot: Participant, node: str = '/stream3r') -> list[DiagnosticStatus]:
    """Listen to /diagnostics; the list grows by the node's own status messages."""
    found: list[DiagnosticStatus] = []

    def take(array: DiagnosticArray):
        found.extend(status for status in array.status if status.name.startswith(node))

    robot.node.create_subscription(DiagnosticArray, '/diagnostics', take, 10)
    return found


def level(status: DiagnosticStatus) -> int:
    return int.from_bytes(status.level, 'little')


def value(status: DiagnosticStatus, key: str) -> str:
    return next(pair.value for pair in status.values if pair.key == key)


def test_a_healthy_node_says_ok_with_accounts_that_add_up(robot):
    found = diagnosed(robot)
    robot.publish_and_wait(picture())
    status = wait_for(found, lambda s: value(s, 'state') == 'streaming', 'a streaming node')
    assert level(status) == 0
    numbers = {
        key: int(value(status, key))
        for key in ('received', 'processed', 'dropped', 'refused', 'waiting')
    }
    assert numbers.pop('received') == sum(numbers.values())


def test_a_camera_that_dies_is_stale_with_its_topic_and_its_publishers(own_domain):
    with running(own_domain, input__stale_after=0.5) as (robot, _):
        found = diagnosed(robot)
        robot.publish_and_wait(picture())
        status = wait_for(found, lambda s: level(s) == 3, 'STALE')
        assert 'no image on /image' in status.message
        assert 'publishers there: 1' in status.message
        robot.node.destroy_publisher(robot._images)
        wait_for(found, lambda s: 'publishers there: 0' in s.message, 'no publisher')


def test_a_publisher_of_another_qos_is_named_as_the_reason(own_domain):
    parameters = {
        'input__stale_after': 0.5,
        'qos_overrides__/image__subscription__reliability': 'reliable',
    }
    with running(own_domain, ('tf', 'odom', 'pose', 'depth', 'depth_info', 'confidence',
                              'points', 'status'), **parameters) as (robot, _):  # fmt: skip
        found = diagnosed(robot)
        robot.node.create_publisher(
            Image, 'image', QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
        )
        status = wait_for(found, lambda s: 'RELIABILITY' in s.message, 'the policy')
        assert level(status) == 3


def test_a_gap_between_stamps_begins_a_new_stream_when_asked_to(robot):
    assert robot.set_parameters(max_stamp_gap=1.0).successful
    first = robot.publish_and_wait(picture())
    stream = robot.answer(first, 'status').stream
    near = robot.publish_and_wait(picture(), stamp_ns=first + 900_000_000)
    assert robot.answer(near, 'status').stream == stream
    far = robot.publish_and_wait(picture(), stamp_ns=near + 1_100_000_000)
    assert robot.answer(far, 'status').stream == stream + 1
    assert robot.set_parameters(max_stamp_gap=0.0).successful
    farther = robot.publish_and_wait(picture(), stamp_ns=far + 3_600_000_000_000)
    assert robot.answer(farther, 'status').stream == stream + 1
    robot._stamp += 3_700_000_000_000


def test_a_stamp_that_does_not_move_on_is_refused(robot, shared_node):
    stamp = robot.publish_and_wait(picture())
    before = robot.answer(stamp, 'status')
    robot.publish(picture(1), stamp_ns=stamp)
    shared_node.wait_for_output('its stamp is that of the image before')
    after = robot.answer(robot.publish_and_wait(picture(2)), 'status')
    assert after.refused == before.refused + 1
    assert after.stream == before.stream


def test_a_lost_stream_sends_no_tf_says_so_and_begins_anew(own_domain):
    with running(own_domain, lost__frames=2, frames__base='none_here') as (robot, process):
        found = diagnosed(robot)
        robot.publish_and_wait(picture())
        assert robot.set_parameters(lost__confidence=1e6).successful
        stamps = [robot.publish_and_wait(picture(seed)) for seed in range(4)]
        status = robot.answer(stamps[-1], 'status')
        assert status.state == 'lost'
        odometry = robot.answer(stamps[-1], 'odom')
        assert odometry.pose.covariance[0] == odometry.twist.covariance[35] == 9999.0
        assert robot.find('tf', stamps[-1]) is None
        warned = wait_for(found, lambda s: level(s) == 1, 'WARN')
        assert 'lost' in warned.message
        assert robot.set_parameters(lost__reset_after=0.1).successful
        wait_until(
            lambda: (
                robot.answer(robot.publish_and_wait(picture()), 'status').stream > status.stream
            ),
            'a new stream',
        )
        process.wait_for_output('lost.reset_after')
        assert robot.set_parameters(lost__confidence=0.0).successful
        again = robot.publish_and_wait(picture())
        assert robot.answer(again, 'status').state == 'streaming'
        robot.answer(again, 'tf')


def test_missing_memory_ends_the_stream_and_not_the_node(own_domain):
    with running(own_domain, max_frames=20_000) as (robot, process):
        found = diagnosed(robot)
        before = robot.answer(robot.publish_and_wait(picture()), 'status')
        # From now on the process gets 200 MB more, and keys and values of so many frames do not
        # fit in there.
        number = process.process.pid
        pages = int(Path(f'/proc/{number}/statm').read_text().split()[0])
        bound = pages * resource.getpagesize() + 200_000_000
        resource.prlimit(number, resource.RLIMIT_AS, (bound, bound))
        assert robot.set_parameters(mode='causal').successful
        for seed in range(3):
            robot.publish(picture(seed))
            robot.settle()
        process.wait_for_output('out of memory')
        error = wait_for(found, lambda s: level(s) == 2, 'ERROR')
        assert int(value(error, 'streams ended for want of memory')) >= 1
        assert robot.set_parameters(mode='window').successful
        after = robot.answer(robot.publish_and_wait(picture()), 'status')
        assert after.refused > before.refused
        assert after.received == after.processed + after.dropped + after.refused
        found.clear()

        def is_well() -> bool:
            robot.publish_and_wait(picture())
            return any(level(s) == 0 and value(s, 'mode') == 'window' for s in found)

        wait_until(is_well, 'OK again')


def test_with_nobody_listening_and_no_tf_the_network_is_left_alone(own_domain):
    with running(own_domain) as (robot, _):
        status = robot.answer(robot.publish_and_wait(picture()), 'status')
        found = diagnosed(robot)
        assert robot.set_parameters(tf__mode='none').successful
        subscriptions = [
            s for s in robot.node.subscriptions if s.topic_name.startswith('/stream3r/')
        ]
        for subscription in subscriptions:
            robot.node.destroy_subscription(subscription)
        del subscriptions
        robot.settle()
        found.clear()
        idle = wait_for(found, lambda s: value(s, 'state') == 'idle', 'an idle node')
        assert level(idle) == 0
        assert 'nobody subscribes' in idle.message
        assert value(idle, 'publishers') == '1'
        assert int(value(idle, 'processed')) <= status.processed + 1
        wait_until(lambda: not robot._images.get_subscription_count(), 'nobody takes images')
        received = heard_on(robot, Image, '/stream3r/depth/image')
        wait_until(lambda: robot.publish(picture()) and received, 'depth, once somebody listens')
        found.clear()
        assert value(wait_for(found), 'state') == 'streaming'
        assert int(value(found[-1], 'stream')) == status.stream


def test_latched_outputs_are_offered_to_those_who_come_late(robot):
    for topic in ('/stream3r/path', '/stream3r/map_points'):
        infos = robot.node.get_publishers_info_by_topic(topic)
        assert [info.qos_profile.durability for info in infos] == [
            DurabilityPolicy.TRANSIENT_LOCAL
        ], topic
