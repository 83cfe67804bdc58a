"""Start the node as Nav2 wants it: a thin cloud for the costmap, odom -> base_link in the plane.

ros2 launch stream3r_ros nav2.launch.py image:=/camera/image_raw lifecycle_manager:=true

Nav2 itself is not started: docs/nav2.md says how. Takes every argument of stream3r.launch.py.
"""

from pathlib import Path

from launch.actions import (
    DeclareLaunchArgument,
    GroupAction,
    IncludeLaunchDescription,
    SetLaunchConfiguration,
)
from launch.conditions import IfCondition
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node, PushRosNamespace

from launch import LaunchDescription

LAUNCH = Path(__file__).parent
CONFIG = LAUNCH.parent / 'config'

ARGUMENTS = (
    ('params_file', str(CONFIG / 'nav2_voxel.yaml'), 'Its section stream3r is for the node'),
    ('rviz_config', str(CONFIG / 'nav2.rviz'), 'RViz view'),
    ('lifecycle_manager', 'false', "Let a manager of Nav2's configure and activate the node"),
)


def generate_launch_description() -> LaunchDescription:
    """Describe the node with the settings for Nav2 and, on demand, its lifecycle manager."""
    managed = IfCondition(LaunchConfiguration('lifecycle_manager'))
    return LaunchDescription(
        [
            # The first declaration of an argument gives its default.
            *(
                DeclareLaunchArgument(name, default_value=default, description=text)
                for name, default, text in ARGUMENTS
            ),
            SetLaunchConfiguration('autostart', 'false', condition=managed),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(str(LAUNCH / 'stream3r.launch.py'))
            ),
            GroupAction(
                [PushRosNamespace(LaunchConfiguration('namespace')), lifecycle_manager()],
                condition=managed,
            ),
        ]
    )


def lifecycle_manager() -> Node:
    """Describe a manager without bonds, which rclpy does not have."""
    return Node(
        package='nav2_lifecycle_manager',
        executable='lifecycle_manager',
        name='lifecycle_manager_stream3r',
        output='screen',
        parameters=[
            {
                'use_sim_time': LaunchConfiguration('use_sim_time'),
                'autostart': True,
                'node_names': ['stream3r'],
                'bond_timeout': 0.0,
            }
        ],
    )
