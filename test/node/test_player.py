"""The player as a camera, and the node's answers to what it plays."""

from pathlib import Path

import numpy as np
import pytest
from geometry_msgs.msg import PoseStamped
from node_harness import NodeProcess, Participant, picture_rgb, wait_until
from PIL import Image as PillowImage
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from stream3r_ros.node.heard import depth_array, pose_matrix
from stream3r_ros.sources import open_source
from stream3r_ros.synthetic import SyntheticSequence

pytestmark = pytest.mark.timeout(120)
ROOM = Path(__file__).parents[3] / 'shared' / 'examples' / 'static_room'


@pytest.fixture
def folder(tmp_path):
    """Write three pictures, PNG and JPEG."""
    for index, suffix in enumerate(('png', 'jpg', 'png')):
        PillowImage.fromarray(picture_rgb(index)).save(tmp_path / f'{index}.{suffix}')
    return tmp_path


class Listener(Participant):
    """A participant that listens to the player too."""

    def __init__(self, domain):
        super().__init__(domain)
        qos = QoSProfile(depth=50, reliability=ReliabilityPolicy.RELIABLE)
        clock_qos = QoSProfile(depth=50, reliability=ReliabilityPolicy.BEST_EFFORT)
        for name, kind, topic, profile in (
            ('image', Image, 'image', qos),
            ('compressed', CompressedImage, 'image/compressed', qos),
            ('info', CameraInfo, 'camera_info', qos),
            ('clock', Clock, '/clock', clock_qos),
            ('true_pose', PoseStamped, 'stream3r_player/true_pose', qos),
            ('true_depth', Image, 'stream3r_player/true_depth', qos),
        ):
            self.node.create_subscription(kind, topic, self._recorder(name), profile)


def play(domain, min_subscribers=1, **parameters):
    """Start a player that waits for the listener, and for the node where there is one."""
    parameters['min_subscribers'] = min_subscribers
    return NodeProcess('stream3r_player', domain, **parameters)


def test_a_folder_is_played_once_and_ends_with_status_0(own_domain, folder):
    with (
        Listener(own_domain) as listener,
        play(own_domain, source=folder, rate=20.0, loop=False) as player,
    ):
        assert player.wait() == 0
        wait_until(lambda: len(listener.messages('image')) == 3)
        first = listener.messages('image')[0]
        assert (first.encoding, first.header.frame_id) == ('rgb8', 'camera_optical_frame')
        np.testing.assert_array_equal(
            np.frombuffer(first.data, np.uint8).reshape(96, 128, 3), picture_rgb(0)
        )
        info = listener.messages('info')[0]
        assert info.header == first.header
        assert (info.height, info.width, info.k[0]) == (96, 128, 0)  # nobody knows its camera
        assert not listener.messages('true_depth') + listener.messages('true_pose')


def test_looping_goes_on_until_frames_are_reached(own_domain, folder):
    with (
        Listener(own_domain) as listener,
        play(own_domain, source=folder, rate=50.0, frames=8) as player,
    ):
        assert player.wait() == 0
        wait_until(lambda: len(listener.messages('image')) == 8)


def test_compressed_playing_passes_the_files_own_bytes_on(own_domain, folder):
    with (
        Listener(own_domain) as listener,
        play(own_domain, source=folder, rate=20.0, loop=False, compressed=True) as player,
    ):
        assert player.wait() == 0
        wait_until(lambda: len(listener.messages('compressed')) == 3)
        formats = [message.format for message in listener.messages('compressed')]
        assert formats == [f'rgb8; {kind} compressed' for kind in ('png', 'jpeg', 'png')]
        assert bytes(listener.messages('compressed')[1].data) == (folder / '1.jpg').read_bytes()


def test_the_synthetic_room_comes_with_its_intrinsics(own_domain):
    with (
        Listener(own_domain) as listener,
        play(
            own_domain, source='synthetic:3', frames=2, image_width=160, image_height=120
        ) as player,
    ):
        assert player.wait() == 0
        wait_until(lambda: len(listener.messages('image')) == 2)
        expected = next(iter(SyntheticSequence(3, 1, (120, 160))))
        found = listener.messages('image')[0]
        assert bytes(found.data) == expected.image_rgb.tobytes()
        info = listener.messages('info')[0]
        np.testing.assert_allclose(np.reshape(info.k, (3, 3)), expected.intrinsics)


def test_the_synthetic_room_tells_the_truth_of_each_image(own_domain):
    with (
        Listener(own_domain) as listener,
        play(
            own_domain, source='synthetic:3/5', rate=15.0, frames=3, image_width=80,
            image_height=60, frame_prefix='r1/',
        ) as player,
    ):  # fmt: skip
        assert player.wait() == 0
        names = ('image', 'true_pose', 'true_depth')
        wait_until(lambda: all(len(listener.messages(name)) == 3 for name in names))
        walk = open_source('synthetic:3/5', synthetic_hw=(60, 80))
        heard = zip(*map(listener.messages, names), walk, strict=False)
        for image, pose, depth, true in heard:
            assert image.header == depth.header
            assert image.header.stamp == pose.header.stamp
            assert (pose.header.frame_id, depth.encoding) == ('r1/source_world', '32FC1')
            assert image.header.frame_id == 'r1/camera_optical_frame'
            np.testing.assert_array_equal(depth_array(depth), true.depth_m)
            np.testing.assert_allclose(pose_matrix(pose.pose), true.world_from_camera, atol=1e-9)


def test_sim_time_rises_by_the_rate_and_stamps_the_images(own_domain, folder):
    with (
        Listener(own_domain) as listener,
        play(own_domain, source=folder, rate=40.0, loop=False, publish_clock=True) as player,
    ):
        assert player.wait() == 0
        wait_until(lambda: len(listener.messages('image')) == 3)
        stamps = [message.header.stamp for message in listener.messages('image')]
        assert [(s.sec, s.nanosec) for s in stamps] == [(0, 0), (0, 25_000_000), (0, 50_000_000)]
        assert listener.messages('clock')


@pytest.mark.parametrize(
    ('parameters', 'sentence'),
    [
        ({'source': '/no/such/folder'}, '/no/such/folder does not exist'),
        ({'source': 'synthetic:kitchen'}, "'kitchen'"),
        ({'rate': -1.0}, 'rate'),
    ],
)
def test_what_cannot_be_played_is_one_sentence_and_status_2(own_domain, parameters, sentence):
    with NodeProcess('stream3r_player', own_domain, **parameters) as player:
        assert player.wait() == 2
        assert sentence in player.output()
        assert 'Traceback' not in player.output()


@pytest.mark.skipif(not ROOM.is_dir(), reason='the example photographs are not here')
@pytest.mark.parametrize('compressed', [False, True])
def test_each_processed_photograph_is_answered(own_domain, compressed):
    transport = 'compressed' if compressed else 'raw'
    with (
        NodeProcess('stream3r_node', own_domain, image_transport=transport) as node,
        Listener(own_domain) as listener,
    ):
        node.wait_for_output('network ready')
        wait_until(lambda: listener.node.get_publishers_info_by_topic('/stream3r/points'))
        play_room = play(own_domain, 2, source=ROOM, rate=4.0, loop=False, compressed=compressed)
        with play_room as player:
            assert player.wait() == 0
        listener.settle()
        statuses = listener.messages('status')
        assert len(statuses) >= 8, [(s.received, s.processed, s.dropped) for s in statuses]
        assert statuses[-1].refused == 0
        # The listener may join late; from the first full answer on nothing is missing.
        for status in statuses[2:]:
            stamp = status.header.stamp.sec * 10**9 + status.header.stamp.nanosec
            for output in ('points', 'depth', 'depth_info', 'pose', 'tf'):
                assert listener.answer(stamp, output)
