"""Start the node as Nav2 wants it: a thin cloud for the costmap, odom -> base_link in the plane.

ros2 launch stream3r_ros nav2.launch.py image:=/camera/image_raw lifecycle_manager:=true

Nav2 itself is not started: docs/nav2.md says how. Takes every argument of stream3r.launch.py.
"""

from pathlib import Path

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
    misspelt,
    parameter_file,
    parameter_rules,
    read_all,
    required,
    truth,
)

LAUNCH = Path(__file__).parent
CONFIG = LAUNCH.parent / 'config'

ARGUMENTS = (
    ('params_file', str(CONFIG / 'nav2_voxel.yaml'), 'Its section stream3r is for the node',
     parameter_file),
    ('rviz_config', str(CONFIG / 'nav2.rviz'), 'RViz view', existing('a file')),
    ('lifecycle_manager', 'false', "Let a manager of Nav2's configure and activate the node",
     truth),
)  # fmt: skip
MANAGER = {'package': 'nav2_lifecycle_manager', 'executable': 'lifecycle_manager'}


def generate_launch_description() -> LaunchDescription:
    """Describe the node with the settings for Nav2 and, on demand, its lifecycle manager."""
    source = str(LAUNCH / 'stream3r.launch.py')
    return LaunchDescription(
        [
            # The first declaration of an argument gives its default.
            *(
                DeclareLaunchArgument(name, default_value=default, description=meaning)
                for name, default, meaning, _ in ARGUMENTS
            ),
            OpaqueFunction(function=check),
            IncludeLaunchDescription(PythonLaunchDescriptionSource(source)),
            OpaqueFunction(function=managed),
        ]
    )


def check(context: LaunchContext) -> None:
    """Look at the arguments before anything starts; who is managed does not start by itself."""
    given = context.launch_configurations
    value = read_all(ARGUMENTS, given)
    for sentence in misspelt(context.argv, (name for name, *_ in ARGUMENTS)):
        get_logger('nav2.launch').warning(sentence)
    if value['lifecycle_manager']:
        required(MANAGER['package'], MANAGER['executable'], 'lifecycle_manager:=true')
        given['autostart'] = 'false'


def managed(context: LaunchContext) -> list[GroupAction]:
    """Describe the manager, if one is asked for."""
    given = context.launch_configurations
    if not truth(given['lifecycle_manager']):
        return []
    manager = lifecycle_manager(truth(given['use_sim_time']))
    return [GroupAction([PushRosNamespace(LaunchConfiguration('namespace')), manager])]


def lifecycle_manager(use_sim_time: bool) -> Node:
    """Describe a manager without bonds, which rclpy does not have."""
    parameters = {
        'use_sim_time': use_sim_time,
        'autostart': True,
        'node_names': ['stream3r'],
        'bond_timeout': 0.0,
    }
    return Node(
        **MANAGER,
        name='lifecycle_manager_stream3r',
        output='screen',
        arguments=parameter_rules(parameters),
    )
