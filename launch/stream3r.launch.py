"""Start the node and, on demand, the camera's mount, the player, the viewer and RViz.

ros2 launch stream3r_ros stream3r.launch.py image:=/camera/image_raw
ros2 launch stream3r_ros stream3r.launch.py player:=true viewer:=true
ros2 launch stream3r_ros stream3r.launch.py cameras:=front,left image:='{camera}/image_raw'
"""

from pathlib import Path
from typing import Any

from launch.actions import (
    DeclareLaunchArgument,
    GroupAction,
    IncludeLaunchDescription,
    OpaqueFunction,
)
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.logging import get_logger
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node, PushRosNamespace

from launch import LaunchContext, LaunchDescription
from stream3r_ros.node.launch_arguments import (
    existing,
    file_in_memory,
    frame,
    full_name,
    log_level,
    misspelt,
    namespace,
    number,
    of_camera,
    of_parameter,
    parameter_file,
    parameter_rules,
    read_all,
    required,
    source,
    text,
    topic,
    truth,
    weights,
    whole,
)
from stream3r_ros.node.programs import DEFAULT_SOURCE

CONFIG = Path(__file__).parents[1] / 'config'

# Argument, default, meaning, and what reads it.
ARGUMENTS = (
    ('params_file', str(CONFIG / 'stream3r.yaml'), 'Parameter file of the node', parameter_file),
    ('namespace', '', 'Namespace of all nodes and relative topics', namespace),
    ('use_sim_time', 'false', 'Take the time from /clock', truth),
    ('log_level', 'info', 'debug, info, warn, error or fatal', log_level),
    ('reliable', 'false', 'Ask for reliable images, as bag.launch.py does; else by qos.image',
     truth),
    ('player', 'false', 'Start the player as the (first) camera', truth),
    ('source', DEFAULT_SOURCE, 'What the player plays: folder, video or synthetic:SEED', source),
    ('rate', '0.0', "Images per second of the player; 0 is the source's own", number(0, 1e6)),
    ('loop', 'true', 'Let the player begin again at the end', truth),
    ('viewer', 'false', 'Start the viewer, a web page of the (first) camera', truth),
    ('viewer_host', '127.0.0.1', 'Address of the page; 0.0.0.0 lets other machines in', text),
    ('viewer_port', '8080', 'Port of the page; 0 is any free one', whole(0, 65535)),
    ('rviz', 'false', 'Start RViz', truth),
    ('rviz_config', str(CONFIG / 'stream3r.rviz'), 'RViz view', existing('a file')),
)  # fmt: skip

# Argument and topic of the node. A relative name lies in the namespace, and '~/' under the node's
# own name. With several cameras each has all of INPUTS and OUTPUTS under its own name.
INPUTS = (
    ('image', 'image'),
    ('image_compressed', 'image/compressed'),
    ('camera_info', 'camera_info'),
    ('wheel_odom', 'odom'),
    ('sensor_depth', 'depth'),
    ('sensor_depth_info', 'depth/camera_info'),
)
# What several cameras may have in common: the robot that they sit on.
SHARED = ('wheel_odom',)
OUTPUTS = (
    ('points', '~/points'),
    ('map_points', '~/map_points'),
    ('depth_image', '~/depth/image'),
    ('depth_camera_info', '~/depth/camera_info'),
    ('confidence_image', '~/confidence/image'),
    ('odom', '~/odom'),
    ('pose', '~/pose'),
    ('path', '~/path'),
    ('status', '~/status'),
)
TRANSFORMS = (('tf', '/tf'), ('tf_static', '/tf_static'))


# Argument, parameter that it overrides when it is given, reader of what is not a table's own word.
OVERRIDES = (
    ('weights', 'network.source', weights),
    ('device', 'network.device', None),
    ('dtype', 'network.dtype', None),
    ('mode', 'mode', None),
    ('window_size', 'window_size', None),
    ('cameras', 'cameras', None),
    ('camera_streams', 'camera_streams', None),
    ('image_transport', 'image_transport', None),
    ('drop_policy', 'drop_policy', None),
    ('depth_resolution', 'depth.resolution', None),
    ('scale_source', 'scale.source', None),
    ('tf_mode', 'tf.mode', None),
    ('map_frame', 'frames.map', frame),
    ('odom_frame', 'frames.odom', frame),
    ('base_frame', 'frames.base', frame),
    ('camera_frame', 'frames.camera', frame),
    ('frame_prefix', 'frame_prefix', None),
    ('two_d_mode', 'two_d_mode', None),
    ('autostart', 'autostart', None),
)
# RViz's fixed frame, unless odom_frame is given.
ODOM_FRAME = 'odom'


def generate_launch_description() -> LaunchDescription:
    """Describe the arguments and the nodes."""
    declared = [
        DeclareLaunchArgument(name, default_value=default, description=meaning)
        for name, default, meaning, _ in all_arguments()
    ]
    pushed = PushRosNamespace(LaunchConfiguration('namespace'))
    mount = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(Path(__file__).with_name('mount.launch.py')))
    )
    started = GroupAction([pushed, mount, OpaqueFunction(function=nodes)])
    return LaunchDescription([*declared, OpaqueFunction(function=check), started])


def all_arguments() -> list[tuple]:
    """List name, default, meaning and reader of every argument."""
    topics = (
        (name, name_there, f'Name of {name_there}; with several cameras with {{camera}} in it',
         topic)
        for name, name_there in (*INPUTS, *OUTPUTS)
    )  # fmt: skip
    transforms = ((name, there, f'Name of {there}', topic) for name, there in TRANSFORMS)
    overrides = (
        (name, '', f'Parameter {parameter}; empty leaves it to params_file',
         of_parameter(parameter, reader))
        for name, parameter, reader in OVERRIDES
    )  # fmt: skip
    return [*ARGUMENTS, *topics, *transforms, *overrides]


def read(context: LaunchContext) -> dict[str, Any]:
    """Read every argument; ValueError for those that are wrong."""
    return read_all(all_arguments(), context.launch_configurations)


def check(context: LaunchContext) -> None:
    """Look at all that can be wrong: whatever is started first would stay without the rest."""
    value = read(context)
    for sentence in misspelt(context.argv, (name for name, *_ in all_arguments())):
        get_logger('stream3r.launch').warning(sentence)
    for camera in value['cameras'] or ['']:
        remappings(value, camera, (*INPUTS, *OUTPUTS))
    if value['rviz']:
        required('rviz2', 'rviz2', 'rviz:=true')


def nodes(context: LaunchContext) -> list[Node]:
    """Describe every node; the player, the viewer and RViz start where they are asked for."""
    value = read(context)
    space = context.launch_configurations.get('ros_namespace', '').rstrip('/')
    asked = [make(value) for make in (player, viewer, rviz) if value[make.__name__]]
    return [perception(value, space), *asked]


def perception(value: dict[str, Any], space: str) -> Node:
    """Describe the node itself."""
    cameras = value['cameras'] or ['']
    topics = (*INPUTS, *OUTPUTS)
    renamed = [pair for camera in cameras for pair in remappings(value, camera, topics)]
    # Under the node's full name, which no section of params_file is stronger than.
    section = {'ros__parameters': overrides(value)}
    own = file_in_memory('arguments.yaml', {full_name('stream3r', space): section})
    return Node(
        package='stream3r_ros',
        executable='stream3r_node',
        name='stream3r',
        output='screen',
        parameters=[value['params_file'], own],
        remappings=[*renamed, *remappings(value, '', TRANSFORMS)],
        arguments=level(value),
    )


def overrides(value: dict[str, Any]) -> dict[str, Any]:
    """Give the parameters whose arguments were set."""
    given = {parameter: value[name] for name, parameter, _ in OVERRIDES if value[name] is not None}
    if value['reliable']:
        given['qos.image'] = 'reliable'
    return {'use_sim_time': value['use_sim_time'], **given}


def remappings(
    value: dict[str, Any], camera: str, topics: tuple[tuple[str, str], ...]
) -> list[tuple[str, str]]:
    """Pair the topics of a camera, '' for the only one, with the names that they get."""
    pairs = []
    for name, there in topics:
        own, given = of_camera(there, camera), value[name]
        if camera and given != there and '{camera}' not in given and name not in SHARED:
            raise ValueError(f'{name} must hold {{camera}}, or all cameras share {given!r}')
        pairs.append((own, own if given == there else given.replace('{camera}', camera)))
    return pairs


def player(value: dict[str, Any]) -> Node:
    """Describe the player in the place of the (first) camera."""
    parameters = {
        'source': value['source'],
        'rate': value['rate'],
        'loop': value['loop'],
        'compressed': value['image_transport'] == 'compressed',
        # Two robots' cameras are two frames.
        'frame_prefix': value['frame_prefix'] or '',
    }
    if value['camera_frame']:
        parameters['frame_id'] = value['camera_frame']
    return Node(
        package='stream3r_ros',
        executable='stream3r_player',
        name='stream3r_player',
        output='screen',
        remappings=as_seen_beside(value, INPUTS),
        arguments=[*parameter_rules(parameters), *level(value)],
    )


def viewer(value: dict[str, Any]) -> Node:
    """Describe the viewer of the (first) camera."""
    parameters = {'host': value['viewer_host'], 'port': value['viewer_port']}
    return Node(
        package='stream3r_ros',
        executable='stream3r_viewer',
        name='stream3r_viewer',
        output='screen',
        remappings=as_seen_beside(value, (*INPUTS, *OUTPUTS)),
        arguments=[*parameter_rules(parameters), *level(value)],
    )


def as_seen_beside(value: dict[str, Any], topics) -> list[tuple[str, str]]:
    """Pair the (first) camera's topics as another node in the same namespace names them."""
    pairs = remappings(value, (value['cameras'] or [''])[0], topics)
    return [
        (there.replace('~/', 'stream3r/'), given.replace('~/', 'stream3r/'))
        for (_, there), (_, given) in zip(topics, pairs, strict=True)
    ]


def rviz(value: dict[str, Any]) -> Node:
    """Describe RViz; its view names our topics relative to the namespace."""
    fixed_frame = (value['frame_prefix'] or '') + (value['odom_frame'] or ODOM_FRAME)
    return Node(
        package='rviz2',
        executable='rviz2',
        name='rviz',
        remappings=[
            *as_seen_beside(value, (*INPUTS, *OUTPUTS)),
            *remappings(value, '', TRANSFORMS),
        ],
        arguments=[
            '-d', value['rviz_config'], '-f', fixed_frame,
            *parameter_rules({'use_sim_time': value['use_sim_time']}), *level(value),
        ],
    )  # fmt: skip


def level(value: dict[str, Any]) -> list[str]:
    """Give the argument that every one of our nodes takes."""
    return ['--ros-args', '--log-level', value['log_level']]
