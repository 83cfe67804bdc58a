"""Publish where a camera sits on the robot: base -> the camera's body frame -> its optical frame.

ros2 launch stream3r_ros mount.launch.py mount:='0.2 0 0.3 0 0.1 0' camera_frame:=camera_optical

Part of stream3r.launch.py, and does nothing there unless mount is given. A robot whose model
(URDF) has the camera does not need it.
"""

from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch_ros.actions import Node

from launch import LaunchContext, LaunchDescription
from stream3r_ros.node.launch_arguments import frame, numbers, read_all, required, text, topic

ARGUMENTS = (
    ('mount', '', "'x y z roll pitch yaw' of the camera on base_frame in m and rad, x forward",
     numbers('x y z roll pitch yaw')),
    ('mount_frame', 'camera_link', "The camera's body frame: x forward, z up", frame),
    ('camera_frame', '', 'Optical frame: the frame_id of the images', frame),
    ('base_frame', '', 'Frame of the robot; empty is base_link', frame),
    ('frame_prefix', '', 'Begins the name of every frame', text),
    ('tf_static', '/tf_static', 'Name of /tf_static', topic),
)  # fmt: skip
BASE_FRAME = 'base_link'
PUBLISHER = {'package': 'tf2_ros', 'executable': 'static_transform_publisher'}
PLACE = ('--x', '--y', '--z', '--roll', '--pitch', '--yaw')
# From x forward, z up to z forward, y down (REP-103).
OPTICAL = ('--qx', '-0.5', '--qy', '0.5', '--qz', '-0.5', '--qw', '0.5')


def generate_launch_description() -> LaunchDescription:
    """Describe the arguments and two publishers of static transforms."""
    declared = (
        DeclareLaunchArgument(name, default_value=default, description=meaning)
        for name, default, meaning, _ in ARGUMENTS
    )
    return LaunchDescription([*declared, OpaqueFunction(function=publishers)])


def publishers(context: LaunchContext) -> list[Node]:
    """Describe the publishers of both transforms, if a mount is given."""
    value = read_all(ARGUMENTS, context.launch_configurations)
    if not value['mount']:
        return []
    if not value['camera_frame']:
        raise ValueError('mount needs camera_frame, the frame_id of the images')
    required(PUBLISHER['package'], PUBLISHER['executable'], 'mount')
    base, body, optical = (
        value['frame_prefix'] + frame
        for frame in (
            value['base_frame'] or BASE_FRAME,
            value['mount_frame'],
            value['camera_frame'],
        )
    )
    turned = [word for pair in zip(PLACE, value['mount'], strict=True) for word in pair]
    return [
        publisher(base, body, turned, value['tf_static']),
        publisher(body, optical, OPTICAL, value['tf_static']),
    ]


def publisher(parent: str, child: str, where, tf_static: str) -> Node:
    """Describe the publisher of one static transform, which names itself: there may be many."""
    frames = ['--frame-id', parent, '--child-frame-id', child]
    return Node(
        **PUBLISHER,
        remappings=[('/tf_static', tf_static)],
        arguments=[*where, *frames],
    )
