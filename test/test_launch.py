"""The launch files under the real launch system; skipped, visibly, where there is none."""

import os
import runpy
import signal
from pathlib import Path

import numpy as np
import pytest
import yaml

pytest.importorskip('rclpy', reason='needs rclpy: . tools/activate.sh')
pytest.importorskip('launch_ros', reason='launch and launch_ros are not on PyPI')

import rclpy  # noqa: E402
from ament_index_python.packages import get_package_prefix  # noqa: E402
from launch.launch_description_sources import PythonLaunchDescriptionSource  # noqa: E402
from launch_files import LAUNCH, Launched, arguments, run_each  # noqa: E402
from lifecycle_msgs.srv import GetState  # noqa: E402
from node_harness import free_domain, wait_until  # noqa: E402
from rcl_interfaces.srv import GetParameters  # noqa: E402
from rclpy.node import Node  # noqa: E402
from stand_ins import BAG, MANAGER, RVIZ, STATIC_TRANSFORM, write_package, write_program  # noqa: E402

SHARED = ('/tf', '/tf_static', '/diagnostics', '/parameter_events', '/rosout', '/clock')


@pytest.fixture
def domain():
    """Give a ROS domain that nobody else uses."""
    return free_domain()


@pytest.fixture
def ask(domain):
    """Give a node that asks other nodes."""
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=domain)
    node = Node('asking', context=context)
    executor = rclpy.executors.SingleThreadedExecutor(context=context)
    yield Asking(node, executor)
    node.destroy_node()
    context.try_shutdown()


class Asking:
    """A node and the questions that it puts to others."""

    def __init__(self, node, executor):
        self.node, self._executor = node, executor

    def names(self) -> list[str]:
        """Name all other nodes."""
        found = self.node.get_node_names_and_namespaces()
        return [f'{space.rstrip("/")}/{name}' for name, space in found]

    def topics(self) -> set[str]:
        """Name all topics."""
        return {name for name, _ in self.node.get_topic_names_and_types()}

    def state(self, node: str) -> str:
        """Name a node's lifecycle state."""
        return self._call(GetState, f'{node}/get_state', GetState.Request()).current_state.label

    def parameters(self, node: str, *names: str) -> list:
        """Read a node's parameters."""
        request = GetParameters.Request(names=names)
        values = self._call(GetParameters, f'{node}/get_parameters', request).values
        return [rclpy.parameter.parameter_value_to_python(value) for value in values]

    def reliability(self, topic: str) -> list[str]:
        """Name the reliability that the subscribers of a topic ask for."""
        found = self.node.get_subscriptions_info_by_topic(topic)
        return [each.qos_profile.reliability.name for each in found]

    def _call(self, kind, name, request):
        client = self.node.create_client(kind, name)
        assert client.wait_for_service(30), name
        future = client.call_async(request)
        self._executor.add_node(self.node)
        self._executor.spin_until_future_complete(future, 30)
        self._executor.remove_node(self.node)
        return future.result()


@pytest.mark.parametrize('file', sorted(LAUNCH))
def test_the_launch_system_finds_the_arguments_that_the_file_lists(file):
    source = PythonLaunchDescriptionSource(str(LAUNCH[file]))
    description = source.try_get_launch_description_without_context()
    found = description.get_launch_arguments()
    assert {argument.name for argument in found} == arguments(file)
    assert all(argument.description for argument in found)


FOLDER = str(Path(__file__).parent)
TOPICS = (
    'image', 'image_compressed', 'camera_info', 'wheel_odom', 'sensor_depth',
    'sensor_depth_info', 'points', 'map_points', 'depth_image', 'depth_camera_info',
    'confidence_image', 'odom', 'pose', 'path', 'status', 'tf', 'tf_static',
)  # fmt: skip
TRUTHS = (
    'use_sim_time',
    'reliable',
    'player',
    'loop',
    'viewer',
    'rviz',
    'two_d_mode',
    'autostart',
)
BOOLEAN = 'true or false (1, 0, yes, no, on, off)'
IN_PLACE = 'a topic: names of letters, digits and underscores with slashes between'
FRAME = 'the name of a frame, without a slash before it and without spaces'
THERE = 'that is there'
# File, arguments, and what is said of the last one.
WRONG = (
    *(('stream3r', [f'{name}:=maybe'], BOOLEAN) for name in TRUTHS),
    *(('stream3r', [f'{name}:=a b'], IN_PLACE) for name in TOPICS),
    *(('stream3r', [f'{name}_frame:=/x'], FRAME) for name in ('map', 'odom', 'base', 'camera')),
    ('stream3r', ['params_file:=/no/file.yaml'], 'a YAML file with parameters'),
    ('stream3r', [f'params_file:={__file__}'], 'a YAML file with parameters'),
    ('stream3r', ['namespace:=9th robot'], 'names of letters, digits and underscores'),
    ('stream3r', ['log_level:=loud'], 'one of debug, info, warn, error, fatal'),
    ('stream3r', ['source:=/no/folder'], f'a folder of images or a video {THERE}'),
    ('stream3r', ['source:=synthetic:x'], f'a folder of images or a video {THERE}'),
    ('stream3r', ['rate:=fast'], 'a number from 0 to 1e+06'),
    ('stream3r', ['rate:=nan'], 'a number from 0 to 1e+06'),
    ('stream3r', ['viewer_port:=70000'], 'a whole number from 0 to 65535'),
    ('stream3r', ['viewer_port:=80.5'], 'a whole number from 0 to 65535'),
    ('stream3r', ['rviz_config:=/no/view.rviz'], f'a file {THERE}'),
    ('stream3r', ['weights:=/no/weights'], f'a file or folder {THERE}'),
    ('stream3r', ['weights:=mine.safetensors'], f'a file or folder {THERE}'),
    ('stream3r', ['dtype:=float8'], 'one of auto, float32, bfloat16, float16'),
    ('stream3r', ['mode:=windw'], 'one of causal, window, full'),
    ('stream3r', ['window_size:=0'], 'a whole number from 1 to 256'),
    ('stream3r', ['window_size:=five'], 'a whole number from 1 to 256'),
    ('stream3r', ['cameras:=front,front'], 'up to 8 names'),
    ('stream3r', ['camera_streams:=shred'], 'one of independent, shared'),
    ('stream3r', ['image_transport:=jpeg'], 'one of raw, compressed'),
    ('stream3r', ['drop_policy:=all'], 'one of latest, keep_all'),
    ('stream3r', ['depth_resolution:=full'], 'one of network, camera'),
    ('stream3r', ['scale_source:=wheels'], 'one of none, fixed, odometry, depth'),
    ('stream3r', ['tf_mode:=base'], 'one of odom_to_base, map_to_odom, world_to_camera, none'),
    ('stream3r', ['mount:=1 2 3'], '6 numbers: x y z roll pitch yaw'),
    ('mount', ['mount:=1 2 3 0 0 east'], '6 numbers: x y z roll pitch yaw'),
    ('mount', ['mount_frame:=/x'], FRAME),
    ('bag', ['bag:=/no/bag'], f'a folder or file of a bag {THERE}'),
    ('bag', [f'bag:={FOLDER}', 'bag_rate:=0'], 'a number from 0.001 to 1000'),
    ('bag', [f'bag:={FOLDER}', 'bag_start:=-1'], 'a number from 0'),
    ('bag', [f'bag:={FOLDER}', 'bag_loop:=always'], BOOLEAN),
    ('bag', [f'bag:={FOLDER}', 'bag_exclude:=(tf'], 'a regular expression'),
    ('bag', [f'bag:={FOLDER}', 'reliable:=very'], BOOLEAN),
    ('bag', [f'bag:={FOLDER}', 'use_sim_time:=2'], BOOLEAN),
    ('bag', [f'bag:={FOLDER}', 'drop_policy:=none'], 'one of latest, keep_all'),
    ('bag', [f'bag:={FOLDER}', 'player:=perhaps'], BOOLEAN),
    ('nav2', ['lifecycle_manager:=maybe'], BOOLEAN),
    ('nav2', ['params_file:=/no/nav2.yaml'], 'a YAML file with parameters'),
    ('nav2', ['rviz_config:=/no/nav2.rviz'], f'a file {THERE}'),
    ('compressed', ['image_transport:=theora'], 'one of raw, compressed'),
)
# What is wrong although each argument is right, and the whole sentence.
CONTRADICTORY = (
    (
        'stream3r',
        ['cameras:=a,b', 'image:=/eye'],
        'image must hold {camera}, or all',
    ),
    ('stream3r', ['mount:=0 0 0 0 0 0'], 'mount needs camera_frame, the frame_id of the images'),
    ('stream3r', ['mount:=0,0,0,0,0,0', 'camera_frame:=eye'], 'needs the package tf2_ros'),
    ('stream3r', ['rviz:=yes'], 'rviz:=true needs the package rviz2: it is not installed'),
    ('nav2', ['lifecycle_manager:=on'], 'needs the package nav2_lifecycle_manager'),
)
FREE = {'viewer_host', 'device', 'frame_prefix'}  # of which any text may be right


@pytest.fixture(scope='module')
def wrong(tmp_path_factory):
    """Launch with every argument wrong once; give what came of each, and what stayed in /tmp."""
    folder = tmp_path_factory.mktemp('wrong')
    write_program(folder / 'bin' / 'ros2', BAG)
    launches = [[f'{file}.launch.py', *given] for file, given, _ in (*WRONG, *CONTRADICTORY)]
    path = f'{folder / "bin"}:{os.environ["PATH"]}'
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('PATH', path)
        # What others may have installed is not there.
        patch.setenv('AMENT_PREFIX_PATH', get_package_prefix('stream3r_ros'))
        found = run_each(launches, folder, free_domain())
    return dict(zip(map(tuple, launches), found, strict=True)), list((folder / 'tmp').rglob('*'))


def test_every_argument_is_wrong_once():
    once = {given[-1].partition(':=')[0] for _, given, _ in WRONG}
    assert once == set().union(*map(arguments, LAUNCH)) - FREE


@pytest.mark.parametrize(('file', 'given', 'expected'), WRONG)
def test_a_wrong_argument_is_one_sentence_and_nothing_starts(wrong, file, given, expected):
    status, said, left = wrong[0][(f'{file}.launch.py', *given)]
    name, _, value = given[-1].partition(':=')
    assert status == 1 and not left
    assert len([text for text in said if f'{name} must be {expected}' in text]) == 1, said
    assert f'found {value!r}' in said[-1]
    assert not [text for text in said if 'process started' in text]


@pytest.mark.parametrize(('file', 'given', 'sentence'), CONTRADICTORY)
def test_what_cannot_go_together_starts_nothing(wrong, file, given, sentence):
    status, said, left = wrong[0][(f'{file}.launch.py', *given)]
    assert status == 1 and not left
    assert sentence in said[-1]


def test_wrong_arguments_leave_no_file(wrong):
    assert wrong[1] == []


def test_two_robots_run_side_by_side(tmp_path, domain, ask):
    robots = [
        ['stream3r.launch.py', f'namespace:={name}', f'frame_prefix:={name}/', 'player:=true']
        for name in ('robot1', 'robot2')
    ]
    with Launched(tmp_path / 'log', domain, *robots) as launched:
        expected = {'/robot1/stream3r', '/robot2/stream3r'}
        wait_until(lambda: expected <= set(ask.names()) or not launched.is_running(), 'nodes')
        for robot in sorted(expected):
            wait_until(lambda: ask.state(robot) == 'active', f'{robot} active')  # noqa: B023
            assert ask.parameters(robot, 'frame_prefix') == [robot.split('/')[1] + '/']
        wait_until(lambda: '/robot2/stream3r/points' in ask.topics(), 'topics of both')
        strangers = [
            topic
            for topic in ask.topics()
            if topic not in SHARED and not topic.startswith(('/robot1/', '/robot2/'))
        ]
        assert not strangers
        assert '/robot1/stream3r/points' in ask.topics()
        for robot in ('robot1', 'robot2'):
            frame = ask.parameters(f'/{robot}/stream3r_player', 'frame_prefix', 'source')
            assert frame == [f'{robot}/', 'synthetic:7/1000000']
        assert launched.left_behind()
        assert launched.end() == 0
        assert launched.left_behind() == []


def test_an_argument_is_stronger_than_any_section_of_the_parameter_file(tmp_path, domain, ask):
    file = tmp_path / 'mine.yaml'
    file.write_text(
        '/**/stream3r: {ros__parameters: {min_confidence: 2.0, window_size: 7}}\n'
        '/robot1/stream3r: {ros__parameters: {window_size: 8}}\n'
    )
    given = [f'params_file:={file}', 'window_size:=3', 'image:=/eye', 'namespace:=robot1']
    with Launched(tmp_path / 'log', domain, ['stream3r.launch.py', *given]) as run:
        robot = '/robot1/stream3r'
        wait_until(lambda: robot in ask.names(), robot)
        assert ask.parameters(robot, 'min_confidence', 'window_size') == [2.0, 3]
        wait_until(lambda: ask.reliability('/eye') == ['BEST_EFFORT'], '/eye subscribed')
        run.end(signal.SIGTERM)
        assert not list((tmp_path / 'tmp').iterdir())  # launch itself leaves the processes


def test_a_bag_begins_when_the_node_is_active_and_is_received_reliably(tmp_path, domain, ask):
    write_program(tmp_path / 'bin' / 'ros2', BAG)
    given = [f'bag:={tmp_path}', 'image:=image_raw', 'namespace:=robot1', 'bag_rate:=0.5']
    given += ['bag_exclude:=^/tf$', 'bag_loop:=True', 'reliable:=True']
    path = ('PATH', tmp_path / 'bin')
    with Launched(tmp_path / 'log', domain, ['bag.launch.py', *given], prefixes=(path,)) as run:
        wait_until((tmp_path / 'bin' / 'asked').exists, 'the bag begins')
        state, *words = (tmp_path / 'bin' / 'asked').read_text().splitlines()
        robot = '/robot1/stream3r'
        found = ask.parameters(robot, 'drop_policy', 'use_sim_time')
        wait_until(lambda: ask.reliability('/robot1/image_raw'), 'subscribed')
        assert ask.reliability('/robot1/image_raw') == ['RELIABLE'], run.output()
        # Its reliability is the recording's, and best effort hears it whatever that is.
        assert 'BEST_EFFORT' in ask.reliability('/robot1/camera_info')
        said = run.output()
        assert run.end() == 0
        assert run.left_behind() == []
    assert said.index('[robot1.stream3r]') < said.index('[ros2-')  # it had loaded before
    assert state == 'active'
    assert found == ['keep_all', True]
    assert words[:5] == ['bag', 'play', str(tmp_path), '--clock', '100']
    assert words[words.index('--rate') + 1] == '0.5'
    assert words[words.index('--exclude-regex') + 1] == '^/tf$'
    assert '--loop' in words
    qos = yaml.safe_load((tmp_path / 'bin' / 'qos.yaml').read_text())
    assert list(qos) == ['/robot1/image_raw']
    assert qos['/robot1/image_raw']['reliability'] == 'reliable'


def test_a_bag_is_not_waited_for_when_the_node_has_ended(tmp_path, domain):
    write_program(tmp_path / 'bin' / 'ros2', BAG)
    path = ('PATH', tmp_path / 'bin')
    given = [f'bag:={tmp_path}', f'weights:={tmp_path}']
    with Launched(tmp_path / 'log', domain, ['bag.launch.py', *given], prefixes=(path,)) as run:
        wait_until(lambda: not run.is_running(), 'launch ends')
        assert 'configure failed' in run.output()
        assert run.left_behind() == []


def test_compressed_images_are_named_as_image_transport_does(tmp_path, domain, ask):
    write_package(tmp_path / 'rviz', 'rviz2', 'rviz2', RVIZ)
    prefix = ('AMENT_PREFIX_PATH', tmp_path / 'rviz')
    given = ['image:=/camera/image_raw', 'camera_info:=/camera/camera_info', 'rviz:=true']
    files = ['compressed.launch.py', *given]
    with Launched(tmp_path / 'log', domain, files, prefixes=(prefix,)) as run:
        wait_until(lambda: ask.reliability('/camera/image_raw/compressed'), 'subscribed')
        assert not ask.reliability('/camera/image_raw')
        wait_until(lambda: 'opens' in run.output(), 'RViz')
        opened = run.output().split('opens ')[1].splitlines()[0]
    assert 'stream3r_compressed.rviz' in opened
    assert 'image/compressed:=/camera/image_raw/compressed' in opened


def test_a_lifecycle_manager_brings_the_node_up(tmp_path, domain, ask):
    write_package(tmp_path / 'nav2', 'nav2_lifecycle_manager', 'lifecycle_manager', MANAGER)
    given = ['lifecycle_manager:=true', 'namespace:=robot1']
    prefix = ('AMENT_PREFIX_PATH', tmp_path / 'nav2')
    with Launched(tmp_path / 'log', domain, ['nav2.launch.py', *given], prefixes=(prefix,)) as run:
        wait_until(lambda: 'has managed' in run.output() or not run.is_running(), 'managed')
        assert '/robot1/lifecycle_manager_stream3r has managed' in run.output(), run.output()
        assert ask.state('/robot1/stream3r') == 'active'
        found = ask.parameters('/robot1/stream3r', 'autostart', 'two_d_mode', 'points.fields')
        assert found == [False, True, 'xyz']


def test_a_mount_is_published_as_two_transforms(tmp_path, domain):
    write_package(tmp_path / 'tf2', 'tf2_ros', 'static_transform_publisher', STATIC_TRANSFORM)
    given = ['mount:=0.2,0,0.3,0,0.1,0', 'camera_frame:=eye', 'frame_prefix:=robot1/']
    prefix = ('AMENT_PREFIX_PATH', tmp_path / 'tf2')
    robot = ['mount.launch.py', *given]
    with Launched(tmp_path / 'log', domain, robot, prefixes=(prefix,)) as run:
        wait_until(lambda: run.output().count('transform --') == 2, 'both transforms')
        place = 'transform --x 0.2 --y 0 --z 0.3 --roll 0 --pitch 0.1 --yaw 0'
        first = f'{place} --frame-id robot1/base_link --child-frame-id robot1/camera_link'
        assert first in run.output()
        assert '--frame-id robot1/camera_link --child-frame-id robot1/eye' in run.output()


def test_a_mount_that_is_not_complete_is_refused(tmp_path, domain):
    for given, sentence in (
        (['mount:=0,0,0'], 'mount must be 6 numbers: x y z roll pitch yaw'),
        (['mount:=0,0,0,0,0,0'], 'mount needs camera_frame'),
    ):
        with Launched(tmp_path / 'log', domain, ['mount.launch.py', *given]) as run:
            wait_until(lambda: not run.is_running(), 'refused')  # noqa: B023
            assert sentence in run.output()


def test_the_optical_frame_looks_along_x_with_y_down():
    words = runpy.run_path(str(LAUNCH['mount.launch.py']))['OPTICAL']
    x, y, z, w = (float(word) for word in words[1::2])
    turn = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
    np.testing.assert_array_equal(turn[:, 2], [1, 0, 0])  # forward
    np.testing.assert_array_equal(turn[:, 1], [0, 0, -1])  # down


def test_each_camera_has_its_own_topics():
    file = runpy.run_path(str(LAUNCH['stream3r.launch.py']))
    value = dict((*file['INPUTS'], *file['OUTPUTS']))
    value |= {'image': '/{camera}/image_raw', 'depth_image': '{camera}_depth'}
    named = dict(file['remappings'](value, 'front', (*file['INPUTS'], *file['OUTPUTS'])))
    assert named['front/image'] == '/front/image_raw'
    assert named['front/camera_info'] == 'front/camera_info'
    assert named['~/front/depth/image'] == 'front_depth'
    assert named['~/front/points'] == '~/front/points'
    value['image'] = '/image_raw'
    with pytest.raises(ValueError, match='image must hold {camera}'):
        file['remappings'](value, 'front', file['INPUTS'])
