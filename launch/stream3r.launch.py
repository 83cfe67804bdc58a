"""Start the node and, on demand, the camera's mount, the player, the viewer and RViz.

ros2 launch stream3r_ros stream3r.launch.py image:=/camera/image_raw
ros2 launch stream3r_ros stream3r.launch.py player:=true source:=synthetic:0 viewer:=true
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
from launch.conditions import IfCondition
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node, PushRosNamespace

from launch import LaunchContext, LaunchDescription

CONFIG = Path(__file__).parents[1] / 'config'

ARGUMENTS = (
    ('params_file', str(CONFIG / 'stream3r.yaml'), 'Parameter file of the node'),
    ('namespace', '', 'Namespace of all nodes and relative topics'),
    ('use_sim_time', 'false', 'Take the time from /clock'),
    ('log_level', 'info', 'debug, info, warn, error or fatal'),
    ('reliable', 'false', 'Ask for reliable images, as bag.launch.py does; best effort otherwise'),
    ('player', 'false', 'Start the player as the (first) camera'),
    ('source', 'synthetic:0', 'What the player plays: folder, video or synthetic:SEED'),
    ('rate', '0.0', "Images per second of the player; 0 is the source's own"),
    ('loop', 'true', 'Let the player begin again at the end'),
    ('viewer', 'false', 'Start the viewer, a web page of the (first) camera'),
    ('viewer_host', '127.0.0.1', 'Address of the page; 0.0.0.0 lets other machines in'),
    ('viewer_port', '8080', 'Port of the page; 0 is any free one'),
    ('rviz', 'false', 'Start RViz'),
    ('rviz_config', str(CONFIG / 'stream3r.rviz'), 'RViz view'),
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


def truth(text: str) -> bool:
    """Read a boolean argument."""
    if text.lower() not in ('true', 'false'):
        raise ValueError(f'a launch argument must be true or false; found {text!r}')
    return text.lower() == 'true'


def names(text: str) -> list[str]:
    """Read a list of names: front,left or [front, left]; one empty name stands for no list."""
    return [name.strip(' \'"') for name in text.strip('[]').split(',')]


# Argument, parameter that it overrides when it is given, type.
OVERRIDES = (
    ('weights', 'network.source', str),
    ('device', 'network.device', str),
    ('dtype', 'network.dtype', str),
    ('mode', 'mode', str),
    ('window_size', 'window_size', int),
    ('cameras', 'cameras', names),
    ('camera_streams', 'camera_streams', str),
    ('image_transport', 'image_transport', str),
    ('drop_policy', 'drop_policy', str),
    ('depth_resolution', 'depth.resolution', str),
    ('scale_source', 'scale.source', str),
    ('tf_mode', 'tf.mode', str),
    ('map_frame', 'frames.map', str),
    ('odom_frame', 'frames.odom', str),
    ('base_frame', 'frames.base', str),
    ('camera_frame', 'frames.camera', str),
    ('frame_prefix', 'frame_prefix', str),
    ('two_d_mode', 'two_d_mode', truth),
    ('autostart', 'autostart', truth),
)
# RViz's fixed frame, unless odom_frame is given.
ODOM_FRAME = 'odom'


def generate_launch_description() -> LaunchDescription:
    """Describe the arguments and the nodes."""
    declared = [
        DeclareLaunchArgument(name, default_value=default, description=text)
        for name, default, text in all_arguments()
    ]
    namespace = PushRosNamespace(LaunchConfiguration('namespace'))
    mount = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(Path(__file__).with_name('mount.launch.py')))
    )
    return LaunchDescription(
        [*declared, GroupAction([namespace, mount, OpaqueFunction(function=nodes)])]
    )


def all_arguments() -> list[tuple[str, str, str]]:
    """List name, default and meaning of every argument."""
    topics = (
        (name, topic, f'Name of {topic}; with several cameras with {{camera}} in it')
        for name, topic in (*INPUTS, *OUTPUTS)
    )
    transforms = ((name, topic, f'Name of {topic}') for name, topic in TRANSFORMS)
    overrides = (
        (name, '', f'Parameter {parameter}; empty leaves it to params_file')
        for name, parameter, _ in OVERRIDES
    )
    return [*ARGUMENTS, *topics, *transforms, *overrides]


def nodes(context: LaunchContext) -> list[Node]:
    """Describe every node; the player, the viewer and RViz start where they are asked for."""
    value = {name: LaunchConfiguration(name).perform(context) for name, *_ in all_arguments()}
    namespace = context.launch_configurations.get('ros_namespace', '')
    return [
        perception(value, namespace.rstrip('/')),
        player(value),
        viewer(value),
        rviz(value),
    ]


def perception(value: dict[str, str], namespace: str) -> Node:
    """Describe the node itself."""
    cameras = names(value['cameras'])
    inputs = [pair for camera in cameras for pair in remappings(value, camera, INPUTS)]
    outputs = [pair for camera in cameras for pair in remappings(value, camera, OUTPUTS)]
    return Node(
        package='stream3r_ros',
        executable='stream3r_node',
        name='stream3r',
        output='screen',
        parameters=[value['params_file'], overrides(value, inputs, namespace)],
        remappings=[*inputs, *outputs, *remappings(value, '', TRANSFORMS)],
        arguments=log_level(value),
    )


def overrides(
    value: dict[str, str], inputs: list[tuple[str, str]], namespace: str
) -> dict[str, Any]:
    """Give the parameters whose arguments were set."""
    given = {parameter: read(value[name]) for name, parameter, read in OVERRIDES if value[name]}
    if truth(value['reliable']):
        # rclpy names these parameters by the topic's full name, after remapping.
        full = (topic if topic.startswith('/') else f'{namespace}/{topic}' for _, topic in inputs)
        given |= {f'qos_overrides.{topic}.subscription.reliability': 'reliable' for topic in full}
    return {'use_sim_time': truth(value['use_sim_time']), **given}


def remappings(
    value: dict[str, str], camera: str, topics: tuple[tuple[str, str], ...]
) -> list[tuple[str, str]]:
    """Pair the topics of a camera, '' for the only one, with the names that they get."""
    pairs = []
    for name, topic in topics:
        own, given = of_camera(topic, camera), value[name]
        if camera and given != topic and '{camera}' not in given and name not in SHARED:
            raise ValueError(f'{name} must hold {{camera}}, or all cameras share {given!r}')
        pairs.append((own, own if given == topic else given.replace('{camera}', camera)))
    return pairs


def of_camera(topic: str, camera: str) -> str:
    """Name a topic as the node does for one of several cameras."""
    if not camera:
        return topic
    return f'~/{camera}/{topic[2:]}' if topic.startswith('~/') else f'{camera}/{topic}'


def player(value: dict[str, str]) -> Node:
    """Describe the player in the place of the (first) camera."""
    return Node(
        package='stream3r_ros',
        executable='stream3r_player',
        name='stream3r_player',
        output='screen',
        condition=IfCondition(value['player']),
        parameters=[
            {
                'source': value['source'],
                'rate': float(value['rate']),
                'loop': truth(value['loop']),
                'compressed': value['image_transport'] == 'compressed',
            }
        ],
        remappings=as_seen_beside(value, INPUTS),
        arguments=log_level(value),
    )


def viewer(value: dict[str, str]) -> Node:
    """Describe the viewer of the (first) camera."""
    return Node(
        package='stream3r_ros',
        executable='stream3r_viewer',
        name='stream3r_viewer',
        output='screen',
        condition=IfCondition(value['viewer']),
        parameters=[{'host': value['viewer_host'], 'port': int(value['viewer_port'])}],
        remappings=as_seen_beside(value, (*INPUTS, *OUTPUTS)),
        arguments=log_level(value),
    )


def as_seen_beside(value: dict[str, str], topics) -> list[tuple[str, str]]:
    """Pair the (first) camera's topics as another node in the same namespace names them."""
    pairs = remappings(value, names(value['cameras'])[0], topics)
    return [
        (topic.replace('~/', 'stream3r/'), given.replace('~/', 'stream3r/'))
        for (_, topic), (_, given) in zip(topics, pairs, strict=True)
    ]


def rviz(value: dict[str, str]) -> Node:
    """Describe RViz; its view names our topics relative to the namespace."""
    fixed_frame = value['frame_prefix'] + (value['odom_frame'] or ODOM_FRAME)
    return Node(
        package='rviz2',
        executable='rviz2',
        name='rviz',
        condition=IfCondition(value['rviz']),
        parameters=[{'use_sim_time': truth(value['use_sim_time'])}],
        remappings=[
            *as_seen_beside(value, (*INPUTS, *OUTPUTS)),
            *remappings(value, '', TRANSFORMS),
        ],
        arguments=['-d', value['rviz_config'], '-f', fixed_frame, *log_level(value)],
    )


def log_level(value: dict[str, str]) -> list[str]:
    """Give the argument that every one of our nodes takes."""
    return ['--ros-args', '--log-level', value['log_level']]
