"""Play a bag through the node, every image of it, in the bag's own time.

ros2 launch stream3r_ros bag.launch.py bag:=/data/my_bag image:=/camera/image_raw

The bag begins once the network is loaded. Takes every argument of stream3r.launch.py.
"""

import asyncio
import tempfile
from pathlib import Path

import yaml
from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    IncludeLaunchDescription,
    OpaqueCoroutine,
    OpaqueFunction,
    RegisterEventHandler,
)
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch_ros.ros_adapters import get_ros_node
from lifecycle_msgs.msg import State
from lifecycle_msgs.srv import GetState

from launch import Action, Event, EventHandler, LaunchContext, LaunchDescription

ARGUMENTS = (
    ('bag', None, 'Folder or file of the bag'),
    ('bag_rate', '1.0', 'Speed; below 1 where the network is slower than the camera was'),
    ('bag_start', '0.0', 'Seconds of the bag that are left out'),
    ('bag_loop', 'false', 'Begin again at the end; each time is a new stream'),
    ('bag_exclude', '', 'Topics left out, as a regular expression, such as ^/tf$'),
    ('use_sim_time', 'true', "Take the time from the bag's /clock"),
    ('drop_policy', 'keep_all', 'Parameter drop_policy'),
    ('reliable', 'true', 'Play and receive images reliably'),
)
CLOCK_HZ = '100'
PLAYED_DEPTH = 100
PERIOD_S = 0.1


def generate_launch_description() -> LaunchDescription:
    """Describe the node and the bag."""
    source = str(Path(__file__).with_name('stream3r.launch.py'))
    return LaunchDescription(
        [
            # The first declaration of an argument gives its default.
            *(
                DeclareLaunchArgument(name, default_value=default, description=text)
                for name, default, text in ARGUMENTS
            ),
            IncludeLaunchDescription(PythonLaunchDescriptionSource(source)),
            OpaqueFunction(function=play_when_active),
        ]
    )


class NodeIsActive(Event):
    """The node has loaded the network and listens."""

    name = 'stream3r_ros.events.NodeIsActive'

    def __init__(self, service: str) -> None:
        super().__init__()
        self.service = service


def play_when_active(context: LaunchContext) -> list[Action]:
    """Describe the bag's player and what it waits for.

    States are asked for: the message of a transition may come before anybody hears it.
    """
    value = dict(context.launch_configurations)  # gone from the context by then
    namespace = full_namespace(value)
    player = ExecuteProcess(cmd=command(value, namespace), output='screen')
    service = f'{namespace}/stream3r/get_state'
    begin = EventHandler(
        matcher=lambda event: isinstance(event, NodeIsActive) and event.service == service,
        entities=[player],
        handle_once=True,
    )
    return [RegisterEventHandler(begin), OpaqueCoroutine(coroutine=wait, args=[service])]


async def wait(context: LaunchContext, service: str) -> None:
    """Ask for the node's state until it is active."""
    client = get_ros_node(context).create_client(GetState, service)
    state = 0
    while state != State.PRIMARY_STATE_ACTIVE:
        await asyncio.sleep(PERIOD_S)
        if client.service_is_ready():
            asked = client.call_async(GetState.Request())
            while not asked.done():
                await asyncio.sleep(PERIOD_S)
            state = asked.result().current_state.id
    await context.emit_event(NodeIsActive(service))


def full_namespace(value: dict[str, str]) -> str:
    """Give the namespace that stream3r.launch.py puts the node into; '' is the root."""
    parts = value['namespace'].split('/')
    if parts[0]:  # relative to the namespace of an including file
        parts = [*value.get('ros_namespace', '').split('/'), *parts]
    return ''.join(f'/{part}' for part in parts if part)


def command(value: dict[str, str], namespace: str) -> list[str]:
    """Give the command that plays the bag."""
    options = ['--clock', CLOCK_HZ, '--rate', value['bag_rate']]
    options += ['--start-offset', value['bag_start'], '--disable-keyboard-controls']
    if value['bag_loop'] == 'true':
        options.append('--loop')
    if value['bag_exclude']:
        options += ['--exclude-regex', value['bag_exclude']]
    if value['reliable'] == 'true':
        file = reliable_images(image_topics(value, namespace))
        options += ['--qos-profile-overrides-path', file]
    return ['ros2', 'bag', 'play', value['bag'], *options]


def image_topics(value: dict[str, str], namespace: str) -> list[str]:
    """Give the full names of the images, as the bag has them."""
    given = value['image_compressed' if value['image_transport'] == 'compressed' else 'image']
    cameras = [camera.strip(' \'"') for camera in value['cameras'].strip('[]').split(',')]
    if cameras[0] and '{camera}' not in given:
        given = f'{{camera}}/{given}'
    named = (given.replace('{camera}', camera) for camera in cameras)
    return [name if name.startswith('/') else f'{namespace}/{name}' for name in named]


def reliable_images(topics: list[str]) -> str:
    """Write the file that makes the bag's images reliable, however they were recorded."""
    profile = {
        'history': 'keep_last',
        'depth': PLAYED_DEPTH,
        'reliability': 'reliable',
        'durability': 'volatile',
    }
    with tempfile.NamedTemporaryFile('w', prefix='bag_qos_', suffix='.yaml', delete=False) as file:
        yaml.safe_dump(dict.fromkeys(topics, profile), file)
    return file.name
