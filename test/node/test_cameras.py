"""Several cameras in one node: streams of their own, or one world."""

import time

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseWithCovarianceStamped
from nav_msgs.msg import Odometry
from node_harness import NodeProcess, Participant, picture, wait_until
from robot import camera_on_robot, matrix_of, stamp_ns, stamp_of, transform
from sensor_msgs.msg import Image, PointCloud2
from tf2_ros import StaticTransformBroadcaster

from stream3r_ros.msg import StreamStatus

pytestmark = pytest.mark.timeout(180)
CAMERAS = ('front', 'left')
FRONT = camera_on_robot(0.1, 0.3, 0.5)


class Rig:
    """Two cameras that publish, and everything that a node answers to them."""

    def __init__(self, robot: Participant, shared: bool):
        self.robot = robot
        node = robot.node
        self._publishers = {
            name: node.create_publisher(Image, f'{name}/image', 10) for name in CAMERAS
        }
        self.heard: dict[str, list] = {}
        worlds = ('',) if shared else CAMERAS
        topics = {f'{name}/points': PointCloud2 for name in CAMERAS}
        topics |= {f'{name}/status': StreamStatus for name in CAMERAS}
        for world in worlds:
            prefix = f'{world}/' if world else ''
            topics |= {f'{prefix}odom': Odometry, f'{prefix}pose': PoseWithCovarianceStamped}
        for topic, kind in topics.items():
            self.heard[topic] = []
            node.create_subscription(kind, f'/stream3r/{topic}', self.heard[topic].append, 50)
        self._stamp = 1_700_000_000_000_000_000

    def publish(self, skew_ns: int = 0, only: str = '') -> int:
        """Publish an image of each camera, the second one a little later; give the stamp."""
        self._stamp += 200_000_001
        for number, name in enumerate(CAMERAS):
            if only in ('', name):
                message = picture(number)
                message.header.stamp = stamp_of(self._stamp + number * skew_ns)
                message.header.frame_id = f'{name}_optical'
                self._publishers[name].publish(message)
        return self._stamp

    def statuses(self, name: str) -> list[StreamStatus]:
        """Give what was said of images; a status without one has no frame."""
        return [status for status in self.heard[f'{name}/status'] if status.header.frame_id]

    def publish_until(self, condition, what: str, **options):
        """Publish both cameras' images until something is true."""
        deadline = time.monotonic() + 40
        while not condition():
            assert time.monotonic() < deadline, what
            self.publish(**options)
            self.robot.settle()
            time.sleep(0.2)


@pytest.fixture
def rig(own_domain, request):
    shared = getattr(request, 'param', 'independent') == 'shared'
    parameters = {'camera_streams': 'shared'} if shared else {}
    node = NodeProcess('stream3r_node', own_domain, **parameters)
    node._command += ['-p', "cameras:=['front', 'left']"]
    with node, Participant(own_domain) as robot:
        yield Rig(robot, shared)


def answered(rig: Rig, times: int = 1):
    return lambda: all(len(rig.statuses(name)) >= times for name in CAMERAS)


def test_independent_cameras_have_topics_and_streams_of_their_own(rig):
    rig.publish_until(answered(rig, 3), 'answers to both cameras')
    for name in CAMERAS:
        last = rig.statuses(name)[-1]
        assert last.header.frame_id == f'{name}_optical'
        assert last.cached_frames == last.processed
        assert last.received == last.processed + last.dropped + last.refused
        for topic in (f'{name}/points', f'{name}/odom'):
            rig.publish_until(lambda topic=topic: rig.heard[topic], topic)
        assert rig.heard[f'{name}/points'][-1].header.frame_id == f'{name}_optical'
    frames = {name: rig.heard[f'{name}/odom'][-1].header.frame_id for name in CAMERAS}
    assert frames == {'front': 'odom', 'left': 'left/odom'}


def test_only_the_first_of_independent_cameras_moves_the_base(rig):
    StaticTransformBroadcaster(rig.robot.node).sendTransform([
        transform('base_link', f'{name}_optical', FRONT) for name in CAMERAS
    ])  # fmt: skip
    rig.publish_until(
        lambda: any(m.transforms[0].child_frame_id == 'base_link'
                    for m in rig.robot.messages('tf')),
        'odom -> base_link',
    )  # fmt: skip
    rig.publish_until(answered(rig, 3), 'answers to both cameras')
    pairs = {
        (t.header.frame_id, t.child_frame_id)
        for message in rig.robot.messages('tf')
        for t in message.transforms
    }
    assert pairs <= {('odom', 'base_link'), ('odom', 'front_optical')}
    assert ('odom', 'base_link') in pairs


def test_one_camera_that_stops_leaves_the_other_alone(rig):
    rig.publish_until(answered(rig), 'answers to both cameras')
    left = len(rig.statuses('left'))
    front = len(rig.statuses('front'))
    rig.publish_until(
        lambda: len(rig.statuses('front')) > front + 2, 'answers to one camera', only='front'
    )
    assert len(rig.statuses('left')) <= left + 1


def test_time_that_goes_back_for_one_camera_begins_a_stream_of_that_camera_alone(rig):
    rig.publish_until(answered(rig, 2), 'answers to both cameras')
    before = {name: rig.statuses(name)[-1].stream for name in CAMERAS}
    now = rig._stamp
    rig._stamp -= 100_000_000_000
    rig.publish_until(
        lambda: rig.statuses('left')[-1].stream > before['left'], 'a new stream', only='left'
    )
    rig._stamp = now
    count = len(rig.statuses('front'))
    rig.publish_until(lambda: len(rig.statuses('front')) > count, 'the other', only='front')
    assert rig.statuses('front')[-1].stream == before['front']


@pytest.mark.parametrize('rig', ['shared'], indirect=True)
def test_shared_cameras_enter_one_stream_as_pairs_of_one_instant(rig):
    rig.publish_until(answered(rig, 2), 'answers to both cameras', skew_ns=3_000_000)
    first = {name: rig.statuses(name)[0] for name in CAMERAS}
    assert first['left'].cached_frames == first['front'].cached_frames + 1
    assert first['left'].stream == first['front'].stream
    pairs = min(len(rig.statuses(name)) for name in CAMERAS)
    for front, left in zip(
        rig.statuses('front')[:pairs], rig.statuses('left')[:pairs], strict=True
    ):
        assert stamp_ns(left) - stamp_ns(front) == 3_000_000
    # It may have found its subscriber only after those frames were computed.
    rig.publish_until(lambda: rig.heard['odom'], 'odometry', skew_ns=3_000_000)
    poses = [matrix_of(pose.pose.pose) for pose in rig.heard['pose']]
    assert all(np.isfinite(pose).all() for pose in poses)


@pytest.mark.parametrize('rig', ['shared'], indirect=True)
def test_an_image_without_a_partner_waits_and_is_dropped_and_counted(rig):
    rig.publish_until(answered(rig), 'answers to both cameras')
    alone = [rig.publish(only='front') for _ in range(3)]
    rig.robot.settle()
    heard = {stamp_ns(status) for status in rig.statuses('front')}
    assert not heard & set(alone)
    count = len(rig.statuses('front'))
    rig.publish_until(lambda: len(rig.statuses('front')) > count, 'the next pair')
    last = rig.statuses('front')[-1]
    assert last.received == last.processed + last.dropped + last.refused
    assert last.dropped >= 1


def test_diagnostics_name_each_camera(rig):
    names: set[str] = set()
    rig.robot.node.create_subscription(
        DiagnosticArray, '/diagnostics',
        lambda array: names.update(status.name for status in array.status), 10,
    )  # fmt: skip
    wait_until(lambda: {'/stream3r: front', '/stream3r: left'} <= names, 'both names')
