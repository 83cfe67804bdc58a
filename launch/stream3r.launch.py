"""Start the node and, on demand, the player, the viewer and RViz.

ros2 launch stream3r_ros stream3r.launch.py image:=/camera/image_raw
ros2 launch stream3r_ros stream3r.launch.py player:=true source:=synthetic:0 viewer:=true
"""

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch.actions import DeclareLaunchArgument, GroupAction, OpaqueFunction
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node, PushRosNamespace
from launch_ros.parameter_descriptions import ParameterValue

from launch import LaunchContext, LaunchDescription

SHARE = Path(get_package_share_directory('stream3r_ros'))

# Argument, topic of the node, default. A relative name lies in the namespace, and '~/' under the
# node's own name.
TOPICS = (
    ('image', 'image', 'image'),
    ('image_compressed', 'image/compressed', 'image/compressed'),
    ('camera_info', 'camera_info', 'camera_info'),
    ('points', '~/points', '~/points'),
    ('depth_image', '~/depth/image', '~/depth/image'),
    ('depth_camera_info', '~/depth/camera_info', '~/depth/camera_info'),
    ('pose', '~/pose', '~/pose'),
    ('status', '~/status', '~/status'),
    ('tf', '/tf', '/tf'),
)
INPUTS = ('image', 'image_compressed', 'camera_info')

# Arguments that override one parameter each when they are given.
OVERRIDES = (
    ('weights', 'network.source', str),
    ('device', 'network.device', str),
    ('dtype', 'network.dtype', str),
    ('mode', 'mode', str),
    ('window_size', 'window_size', int),
    ('image_transport', 'image_transport', str),
    ('camera_frame', 'frames.camera', str),
    ('world_frame', 'frames.world', str),
)


def generate_launch_description() -> LaunchDescription:
    """Describe the arguments and the nodes."""
    return LaunchDescription(
        [
            *arguments(),
            GroupAction(
                [
                    PushRosNamespace(LaunchConfiguration('namespace')),
                    OpaqueFunction(function=nodes),
                ]
            ),
        ]
    )


def arguments() -> list[DeclareLaunchArgument]:
    """Declare every argument with its meaning."""
    return [
        DeclareLaunchArgument(name, default_value=default, description=text)
        for name, default, text in described_arguments()
    ]


def described_arguments() -> list[tuple[str, str, str]]:
    """List name, default and meaning of every argument."""
    described = (
        ('params_file', str(SHARE / 'config' / 'stream3r.yaml'), 'Parameter file'),
        ('namespace', '', 'Namespace of all nodes and relative topics'),
        ('use_sim_time', 'false', 'Take the time from /clock'),
        ('log_level', 'info', 'debug, info, warn, error or fatal'),
        ('player', 'false', 'Start the player as the camera'),
        ('source', 'synthetic:0', 'What the player plays: folder, video or synthetic:SEED'),
        ('rate', '0.0', "Images per second of the player; 0 is the source's own"),
        ('loop', 'true', 'Let the player begin again at the end'),
        ('viewer', 'false', 'Start the viewer, a web page'),
        ('viewer_host', '127.0.0.1', 'Address of the page; 0.0.0.0 lets other machines in'),
        ('viewer_port', '8080', 'Port of the page; 0 is any free one'),
        ('rviz', 'false', 'Start RViz'),
        ('rviz_config', str(SHARE / 'config' / 'stream3r.rviz'), 'RViz view'),
    )  # fmt: skip
    remaps = ((name, default, f'Remapped name of {topic}') for name, topic, default in TOPICS)
    parameters = (
        (name, '', f'Parameter {parameter}; empty leaves it to params_file')
        for name, parameter, _ in OVERRIDES
    )
    return [*described, *remaps, *parameters]


def nodes(context: LaunchContext) -> list[Node]:
    """Describe the node, the player, the viewer and RViz."""
    value = {
        name: LaunchConfiguration(name).perform(context) for name, *_ in described_arguments()
    }
    sim_time = {'use_sim_time': is_true('use_sim_time')}
    log_level = ['--ros-args', '--log-level', value['log_level']]
    perception = Node(
        package='stream3r_ros',
        executable='stream3r_node',
        name='stream3r',
        output='screen',
        parameters=[value['params_file'], sim_time, overrides(value)],
        remappings=[(topic, value[name]) for name, topic, _ in TOPICS],
        arguments=log_level,
    )
    player = Node(
        package='stream3r_ros',
        executable='stream3r_player',
        name='stream3r_player',
        output='screen',
        condition=IfCondition(value['player']),
        parameters=[
            {
                'source': value['source'],
                'rate': float(value['rate']),
                'loop': is_true('loop'),
                'compressed': value['image_transport'] == 'compressed',
            }
        ],
        remappings=[(topic, value[name]) for name, topic, _ in TOPICS if name in INPUTS],
        arguments=log_level,
    )
    viewer = Node(
        package='stream3r_ros',
        executable='stream3r_viewer',
        name='stream3r_viewer',
        output='screen',
        condition=IfCondition(value['viewer']),
        parameters=[{'host': value['viewer_host'], 'port': int(value['viewer_port'])}],
        remappings=[(seen_beside(topic), seen_beside(value[name])) for name, topic, _ in TOPICS],
        arguments=log_level,
    )
    rviz = Node(
        package='rviz2',
        executable='rviz2',
        name='rviz',
        condition=IfCondition(value['rviz']),
        parameters=[sim_time],
        arguments=['-d', value['rviz_config'], *log_level],
    )
    return [perception, player, viewer, rviz]


def seen_beside(topic: str) -> str:
    """Name one of the node's own topics as another node in its namespace does."""
    return topic.replace('~/', 'stream3r/')


def is_true(name: str) -> ParameterValue:
    """Turn an argument's text into a boolean parameter."""
    return ParameterValue(LaunchConfiguration(name), value_type=bool)


def overrides(value: dict[str, str]) -> dict[str, str | int]:
    """Give the parameters whose arguments were set."""
    return {parameter: kind(value[name]) for name, parameter, kind in OVERRIDES if value[name]}
