"""Transforms in a real buffer, and rotations by angles, for tests of frames."""

import numpy as np
import tf2_ros
from builtin_interfaces.msg import Time
from geometry_msgs.msg import TransformStamped

from stream3r_ros.geometry.rigid import quat_xyzw_from_matrix, rigid

SECOND = 10**9


def stamp(seconds):
    """Give a stamp; exact for seconds that are."""
    nanoseconds = round(seconds * SECOND)
    return Time(sec=nanoseconds // SECOND, nanosec=nanoseconds % SECOND)


def transform(parent, child, matrix=None, seconds=0.0):
    """Make a transform of a (4, 4) matrix."""
    matrix = np.eye(4) if matrix is None else matrix
    message = TransformStamped(child_frame_id=child)
    message.header.frame_id = parent
    message.header.stamp = stamp(seconds)
    p, q = message.transform.translation, message.transform.rotation
    p.x, p.y, p.z = matrix[:3, 3].tolist()
    q.x, q.y, q.z, q.w = quat_xyzw_from_matrix(matrix[:3, :3]).tolist()
    return message


def buffer_of(*moving, static=()):
    """Give a buffer that has heard these transforms."""
    buffer = tf2_ros.Buffer()
    for message in moving:
        buffer.set_transform(message, 'test')
    for message in static:
        buffer.set_transform_static(message, 'test')
    return buffer


def about(axis, degrees, xyz=(0.0, 0.0, 0.0)):
    """Turn about one of the axes x, y, z by the right-hand rule, then go to xyz."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    rotation = {
        'x': [[1, 0, 0], [0, c, -s], [0, s, c]],
        'y': [[c, 0, s], [0, 1, 0], [-s, 0, c]],
        'z': [[c, -s, 0], [s, c, 0], [0, 0, 1]],
    }[axis]
    return rigid(np.array(rotation), np.array(xyz))
