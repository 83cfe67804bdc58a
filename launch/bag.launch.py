"""Play a bag through the node, every image of it, in the bag's own time.

ros2 launch stream3r_ros bag.launch.py bag:=/data/my_bag image:=/camera/image_raw

The bag begins once the network is loaded. Takes every argument of stream3r.launch.py.
"""

import asyncio
import shutil
from pathlib import Path
from typing import Any

from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    IncludeLaunchDescription,
    OpaqueCoroutine,
    OpaqueFunction,
    RegisterEventHandler,
)
from launch.events.process import ProcessExited
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.logging import get_logger
from launch_ros.actions import Node
from launch_ros.ros_adapters import get_ros_node
from lifecycle_msgs.msg import State
from lifecycle_msgs.srv import GetState
from rclpy.client import Client

from launch import Action, Event, EventHandler, LaunchContext, LaunchDescription
from stream3r_ros.node.launch_arguments import (
    existing,
    file_in_memory,
    full_name,
    image_topics,
    misspelt,
    number,
    of_parameter,
    pattern,
    read_all,
    topic,
    truth,
)

ARGUMENTS = (
    ('bag', None, 'Folder or file of the bag', existing('a folder or file of a bag')),
    ('bag_rate', '1.0', 'Speed; below 1 where the network is slower than the camera was',
     number(1e-3, 1e3)),
    ('bag_start', '0.0', 'Seconds of the bag that are left out', number(0)),
    ('bag_loop', 'false', 'Begin again at the end; each time is a new stream', truth),
    ('bag_exclude', '', 'Topics left out, as a regular expression, such as ^/tf$', pattern),
    ('use_sim_time', 'true', "Take the time from the bag's /clock", truth),
    ('drop_policy', 'keep_all', 'Parameter drop_policy', of_parameter('drop_policy')),
    ('reliable', 'true', 'Play and receive images reliably', truth),
)  # fmt: skip
# What says which topics the images have; stream3r.launch.py declares and reads it, too.
IMAGES = (
    ('image', topic),
    ('image_compressed', topic),
    ('image_transport', of_parameter('image_transport')),
    ('cameras', of_parameter('cameras')),
)
CLOCK_HZ = '100'
RELIABLE = {
    'history': 'keep_last',
    'depth': 100,
    'reliability': 'reliable',
    'durability': 'volatile',
}
PERIOD_S = 0.1


def generate_launch_description() -> LaunchDescription:
    """Describe the node and the bag."""
    source = str(Path(__file__).with_name('stream3r.launch.py'))
    return LaunchDescription(
        [
            # The first declaration of an argument gives its default.
            *(
                DeclareLaunchArgument(name, default_value=default, description=meaning)
                for name, default, meaning, _ in ARGUMENTS
            ),
            OpaqueFunction(function=check),
            IncludeLaunchDescription(PythonLaunchDescriptionSource(source)),
            OpaqueFunction(function=play_when_active),
        ]
    )


def check(context: LaunchContext) -> None:
    """Look at this file's arguments before the node is started."""
    read_all(ARGUMENTS, context.launch_configurations)
    for sentence in misspelt(context.argv, (name for name, *_ in ARGUMENTS)):
        get_logger('bag.launch').warning(sentence)
    if not shutil.which('ros2'):
        raise ValueError('the bag is played by ros2 bag, and there is no ros2 in PATH')


class NodeIsActive(Event):
    """The node has loaded the network and listens."""

    name = 'stream3r_ros.events.NodeIsActive'

    def __init__(self, service: str) -> None:
        super().__init__()
        self.service = service


def play_when_active(context: LaunchContext) -> list[Action]:
    """Describe the bag's player and what it waits for, as long as the node is there.

    States are asked for: the message of a transition may come before anybody hears it.
    """
    given = context.launch_configurations
    space, value = full_namespace(given), read_all((*ARGUMENTS, *IMAGES), given)
    service = full_name('~/get_state', space)
    has_ended = asyncio.Event()
    begin = EventHandler(
        matcher=lambda event: isinstance(event, NodeIsActive) and event.service == service,
        entities=[ExecuteProcess(cmd=command(value, space), output='screen')],
        handle_once=True,
    )
    end = EventHandler(
        matcher=lambda event: is_end_of(event, full_name('stream3r', space)),
        entities=[OpaqueFunction(function=lambda _: has_ended.set())],
    )
    waiting = OpaqueCoroutine(coroutine=wait, args=[service, has_ended])
    return [RegisterEventHandler(begin), RegisterEventHandler(end), waiting]


def is_end_of(event: Event, node: str) -> bool:
    """Tell whether a node's process has ended."""
    is_node = isinstance(event, ProcessExited) and isinstance(event.action, Node)
    return is_node and event.action.node_name == node


async def wait(context: LaunchContext, service: str, has_ended: asyncio.Event) -> None:
    """Ask for the node's state until it is active, or has ended."""
    client = get_ros_node(context).create_client(GetState, service)
    while not has_ended.is_set():
        await asyncio.sleep(PERIOD_S)
        if await state(client, has_ended) == State.PRIMARY_STATE_ACTIVE:
            await context.emit_event(NodeIsActive(service))
            return


async def state(client: Client, has_ended: asyncio.Event) -> int | None:
    """Ask for the node's state once; None where nobody answers."""
    if not client.service_is_ready():
        return None
    asked = client.call_async(GetState.Request())
    while not asked.done():
        if has_ended.is_set():
            return None
        await asyncio.sleep(PERIOD_S)
    return asked.result().current_state.id


def full_namespace(given: dict[str, str]) -> str:
    """Give the namespace that stream3r.launch.py puts the node into; '' is the root."""
    parts = given['namespace'].split('/')
    if parts[0]:  # relative to the namespace of an including file
        parts = [*given.get('ros_namespace', '').split('/'), *parts]
    return ''.join(f'/{part}' for part in parts if part)


def command(value: dict[str, Any], space: str) -> list[str]:
    """Give the command that plays the bag."""
    options = ['--clock', CLOCK_HZ, '--rate', str(value['bag_rate'])]
    options += ['--start-offset', str(value['bag_start']), '--disable-keyboard-controls']
    if value['bag_loop']:
        options.append('--loop')
    if value['bag_exclude']:
        options += ['--exclude-regex', value['bag_exclude']]
    if value['reliable']:
        # However they were recorded. Other topics are heard as they come, and keep what they
        # were recorded with: a latched camera_info would be lost without it.
        file = file_in_memory('qos.yaml', dict.fromkeys(image_topics(value, space), RELIABLE))
        options += ['--qos-profile-overrides-path', file]
    return ['ros2', 'bag', 'play', value['bag'], *options]
