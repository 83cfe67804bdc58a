"""What the four executables are: topics, parameters and an example of each. No ROS, no torch."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from stream3r_ros.node.parameter_table import PARAMETERS, STRICT_PARAMETERS, Parameter

DEFAULT_SOURCE = 'synthetic:7/1000000'
"""The demo house on a path that the demo weights have not seen; it has no end."""
MOST_FRAMES = 2**31 - 1
LONGEST_S = 1e6
WIDTH = 98


@dataclass(frozen=True)
class Program:
    """An executable; ``of_cameras`` where topics are those of each of the parameter cameras."""

    name: str
    summary: str
    subscribes: tuple[str, ...]
    publishes: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    example: str
    services: tuple[str, ...] = ()
    of_cameras: bool = False


NODE = Program(
    'stream3r_node',
    'The lifecycle node stream3r: images in; depth, points, poses and TF out.',
    (
        'image', 'image/compressed', 'camera_info', 'odom', 'depth', 'depth/camera_info', '/tf',
        '/tf_static',
    ),
    (
        '/tf', '~/odom', '~/pose', '~/path', '~/points', '~/map_points', '~/depth/image',
        '~/depth/camera_info', '~/confidence/image', '~/status', '/diagnostics',
    ),
    PARAMETERS,
    'stream3r_node --ros-args -r image:=/camera/image_raw -p network.source:=yslan/STream3R',
    ('~/reset', '~/enable', '~/save_map'),
    of_cameras=True,
)  # fmt: skip

PLAYER = Program(
    'stream3r_player',
    'Publish a folder, a video or the synthetic room as a camera would.',
    (),
    ('image', 'image/compressed', 'camera_info', '~/true_pose', '~/true_depth', '/clock'),
    (
        Parameter(
            'source', DEFAULT_SOURCE,
            'Folder of images, video file, synthetic:SEED or synthetic:SEED/PATH',
        ),
        Parameter(
            'rate', 0.0, "Images per second; 0 is the source's own rate", bounds=(0.0, LONGEST_S)
        ),
        Parameter('loop', True, 'Begin again at the end; otherwise exit'),
        Parameter(
            'frames', 0, 'Stop after this many images; 0 is no limit', bounds=(0, MOST_FRAMES)
        ),
        Parameter('image_width', 640, "Width of the synthetic room's images", bounds=(14, 4096)),
        Parameter('image_height', 480, "Height of the synthetic room's images", bounds=(14, 4096)),
        Parameter('compressed', False, 'Publish image/compressed instead of image'),
        Parameter('frame_id', 'camera_optical_frame', 'Optical frame of the images'),
        Parameter('frame_prefix', '', 'Put before the names of frames, such as robot1/'),
        Parameter('publish_clock', False, 'Publish /clock and stamp images with it'),
        Parameter(
            'min_subscribers', 0, 'Wait until so many subscribe to the images', bounds=(0, 1000)
        ),
        STRICT_PARAMETERS,
    ),
    'stream3r_player --ros-args -p source:=my_video.mp4 -p rate:=10 -p loop:=false',
)  # fmt: skip

VIEWER = Program(
    'stream3r_viewer',
    'Show what the node publishes on a web page, and change its parameters there.',
    (
        'image', 'stream3r/pose', 'stream3r/depth/image', 'stream3r/depth/camera_info',
        'stream3r/points', 'stream3r/status',
    ),
    (),
    (
        Parameter(
            'host', '127.0.0.1',
            'Address to serve the page on; 0.0.0.0 lets other machines see and steer',
        ),
        Parameter('port', 8080, 'Port of the page; 0 is any free one', bounds=(0, 65535)),
        Parameter('node', 'stream3r', 'Name of the node whose topics are shown'),
        Parameter('cloud_rate', 10.0, 'Most frames shown a second', bounds=(0.1, 30.0)),
        Parameter('map_rate', 2.0, 'Most updates of the map a second', bounds=(0.1, 30.0)),
        Parameter(
            'max_points', 200_000, 'Most points of the map; its voxels grow to stay below',
            bounds=(1000, 5_000_000),
        ),
        Parameter(
            'max_cloud_points', 50_000,
            'Most points of the present cloud; larger ones are thinned', bounds=(1000, 5_000_000),
        ),
        Parameter('max_cameras', 30, 'Most past cameras shown', bounds=(1, 500)),
        STRICT_PARAMETERS,
    ),
    'stream3r_viewer --ros-args -p port:=8081',
)  # fmt: skip

RECORDER = Program(
    'stream3r_recorder',
    'Listen to the node and leave a folder: cloud, trajectory, picture and the accounts.',
    (
        'image', 'stream3r/pose', 'stream3r/depth/image', 'stream3r/points', 'stream3r/status',
        'stream3r/depth/camera_info', 'camera_info', 'stream3r_player/true_pose',
        'stream3r_player/true_depth',
    ),
    (),
    (
        Parameter('out', '', 'Folder to write'),
        Parameter(
            'frames', 0, 'End when the node has received this many images; 0 is no limit',
            bounds=(0, MOST_FRAMES),
        ),
        Parameter(
            'idle', 0.0,
            'End after this many seconds of silence once frames came; 0 waits for ever',
            bounds=(0.0, LONGEST_S),
        ),
        Parameter(
            'patience', 0.0,
            'Give up with status 1 when no frame came after this many seconds; 0 never does',
            bounds=(0.0, LONGEST_S),
        ),
        Parameter('caption', '', 'A line under the picture'),
        Parameter('truth', False, 'Write the errors against the truth that a player publishes'),
        STRICT_PARAMETERS,
    ),
    'stream3r_recorder --ros-args -p out:=recording -p frames:=100',
)  # fmt: skip

PROGRAMS = {'perception_node': NODE, 'player': PLAYER, 'viewer': VIEWER, 'recorder': RECORDER}
"""By the module of each."""


def of_camera(topic: str, camera: str) -> str:
    """Name a topic of one of several cameras; the camera is '' where there is only one."""
    if not camera:
        return topic
    return f'~/{camera}/{topic[2:]}' if topic.startswith('~/') else f'{camera}/{topic}'


def foreign_arguments(arguments: Sequence[str]) -> list[str]:
    """Give what is not between ``--ros-args`` and ``--``, which rcl reads."""
    foreign, is_ros = [], False
    for argument in arguments:
        if argument == '--ros-args':
            is_ros = True
        elif is_ros and argument == '--':
            is_ros = False
        elif not is_ros:
            foreign.append(argument)
    return foreign


def usage(program: Program) -> str:
    """Write the text of ``--help``."""
    lines = [
        f'usage: {program.name} [--ros-args [-p NAME:=VALUE]... [--params-file FILE]',
        f'{" " * len(program.name)}        [-r TOPIC:=TOPIC]... [--log-level LEVEL]]',
        '',
        program.summary,
        '',
        *_line('subscribes', program.subscribes),
        *_line('publishes', program.publishes),
        *_line('services', program.services),
        '',
        'parameters:',
        *(line for parameter in program.parameters for line in _entry(parameter)),
        '',
        'example:',
        f'  {program.example}',
    ]
    return '\n'.join(lines) + '\n'


def _line(word: str, names: tuple[str, ...]) -> list[str]:
    text = f'{word}: {", ".join(names)}'
    return textwrap.wrap(text, WIDTH, subsequent_indent='  ') if names else []


def _entry(parameter: Parameter) -> list[str]:
    default = shown(parameter.default)
    text = parameter.description
    if parameter.choices or parameter.bounds:
        text += f' ({parameter.constraint})'
    indent = ' ' * 6
    wrapped = textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent)
    return [f'  {parameter.name}  (default: {default})', *wrapped]


def shown(value: object) -> str:
    """Write a value as people give it on a command line."""
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if value in ('', ['']) else str(value)
