"""Publish where a camera sits on the robot: base -> the camera's body frame -> its optical frame.

ros2 launch stream3r_ros mount.launch.py mount:='0.2 0 0.3 0 0.1 0' camera_frame:=camera_optical

Part of stream3r.launch.py, and does nothing there unless mount is given. A robot whose model
(URDF) has the camera does not need it.
"""

from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from launch import LaunchContext, LaunchDescription

ARGUMENTS = (
    ('mount', '', "'x y z roll pitch yaw' of the camera on base_frame in m and rad, x forward"),
    ('mount_frame', 'camera_link', "The camera's body frame: x forward, z up"),
    ('camera_frame', '', 'Optical frame: the frame_id of the images'),
    ('base_frame', '', 'Frame of the robot; empty is base_link'),
    ('frame_prefix', '', 'Begins the name of every frame'),
    ('tf_static', '/tf_static', 'Name of /tf_static'),
)
BASE_FRAME = 'base_link'
PLACE = ('--x', '--y', '--z', '--roll', '--pitch', '--yaw')
# From x forward, z up to z forward, y down (REP-103).
OPTICAL = ('--qx', '-0.5', '--qy', '0.5', '--qz', '-0.5', '--qw', '0.5')


def generate_launch_description() -> LaunchDescription:
    """Describe the arguments and two publishers of static transforms."""
    declared = (
        DeclareLaunchArgument(name, default_value=default, description=text)
        for name, default, text in ARGUMENTS
    )
    return LaunchDescription([*declared, OpaqueFunction(function=publishers)])


def publishers(context: LaunchContext) -> list[Node]:
    """Describe the publishers of both transforms, if a mount is given."""
    value = {name: LaunchConfiguration(name).perform(context) for name, *_ in ARGUMENTS}
    if not value['mount']:
        return []
    place = value['mount'].replace(',', ' ').split()
    if len(place) != len(PLACE):
        raise ValueError(f'mount must be x y z roll pitch yaw; found {value["mount"]!r}')
    if not value['camera_frame']:
        raise ValueError('mount needs camera_frame, the frame_id of the images')
    base, body, optical = (
        value['frame_prefix'] + frame
        for frame in (
            value['base_frame'] or BASE_FRAME,
            value['mount_frame'],
            value['camera_frame'],
        )
    )
    turned = [word for pair in zip(PLACE, place, strict=True) for word in pair]
    return [
        publisher(base, body, turned, value['tf_static']),
        publisher(body, optical, OPTICAL, value['tf_static']),
    ]


def publisher(parent: str, child: str, where, tf_static: str) -> Node:
    """Describe the publisher of one static transform, which names itself: there may be many."""
    frames = ['--frame-id', parent, '--child-frame-id', child]
    return Node(
        package='tf2_ros',
        executable='static_transform_publisher',
        remappings=[('/tf_static', tf_static)],
        arguments=[*where, *frames],
    )
