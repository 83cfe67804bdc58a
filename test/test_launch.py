"""The launch files under the real launch system; skipped, visibly, where there is none."""

import runpy

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs rclpy: . tools/activate.sh')
pytest.importorskip('launch_ros', reason='launch and launch_ros are not on PyPI')

import rclpy  # noqa: E402
from launch.launch_description_sources import PythonLaunchDescriptionSource  # noqa: E402
from launch_files import LAUNCH, Launched, arguments  # noqa: E402
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


def test_an_argument_is_stronger_than_the_parameter_file(tmp_path, domain, ask):
    file = tmp_path / 'mine.yaml'
    file.write_text('/**/stream3r: {ros__parameters: {min_confidence: 2.0, window_size: 7}}')
    given = [f'params_file:={file}', 'window_size:=3', 'image:=/eye', 'namespace:=robot1']
    with Launched(tmp_path / 'log', domain, ['stream3r.launch.py', *given]):
        robot = '/robot1/stream3r'
        wait_until(lambda: robot in ask.names(), robot)
        assert ask.parameters(robot, 'min_confidence', 'window_size') == [2.0, 3]
        wait_until(lambda: ask.reliability('/eye') == ['BEST_EFFORT'], '/eye subscribed')


def test_a_bag_begins_when_the_node_is_active_and_is_received_reliably(tmp_path, domain, ask):
    write_program(tmp_path / 'bin' / 'ros2', BAG)
    given = ['bag:=my_bag', 'image:=image_raw', 'namespace:=robot1', 'bag_rate:=0.5']
    given += ['bag_exclude:=^/tf$', 'bag_loop:=true']
    path = ('PATH', tmp_path / 'bin')
    with Launched(tmp_path / 'log', domain, ['bag.launch.py', *given], prefixes=(path,)) as run:
        wait_until((tmp_path / 'bin' / 'asked').exists, 'the bag begins')
        state, *words = (tmp_path / 'bin' / 'asked').read_text().splitlines()
        robot = '/robot1/stream3r'
        found = ask.parameters(robot, 'drop_policy', 'use_sim_time')
        wait_until(lambda: ask.reliability('/robot1/image_raw'), 'subscribed')
        assert ask.reliability('/robot1/image_raw') == ['RELIABLE'], run.output()
        said = run.output()
    assert said.index('[robot1.stream3r]') < said.index('[ros2-')  # it had loaded before
    assert state == 'active'
    assert found == ['keep_all', True]
    assert words[:5] == ['bag', 'play', 'my_bag', '--clock', '100']
    assert words[words.index('--rate') + 1] == '0.5'
    assert words[words.index('--exclude-regex') + 1] == '^/tf$'
    assert '--loop' in words
    qos = (tmp_path / 'bin' / 'qos.yaml').read_text()
    assert '/robot1/image_raw:' in qos and 'reliability: reliable' in qos


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
        (['mount:=0,0,0'], 'mount must be x y z roll pitch yaw'),
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
    assert file['names']("[front, 'left']") == file['names']('front,left') == ['front', 'left']
