"""A robot around the node: its frames in TF, and topics beyond those of one camera."""

import time
from contextlib import contextmanager

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import TransformStamped
from node_harness import NodeProcess, Participant, picture, wait_until
from rclpy.qos import DurabilityPolicy, QoSProfile
from tf2_ros import StaticTransformBroadcaster, TransformBroadcaster

from stream3r_ros.geometry.rigid import matrix_from_quat_xyzw, quat_xyzw_from_matrix, rigid

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
OPTICAL = 'camera_link_optical'


@contextmanager
def running(domain: int, silent: tuple[str, ...] = (), **parameters):
    """Run a node with parameters of its own; give (participant, process).

    ``silent`` outputs are not waited for.
    """
    with NodeProcess('stream3r_node', domain, **parameters) as process:
        with Participant(domain) as robot:
            robot.wait_until_connected(silent)
            yield robot, process


def camera_on_robot(pitch_rad: float, forward_m: float, up_m: float) -> np.ndarray:
    """Give base_from_optical (4, 4) of a camera that looks ahead and down by a pitch, by hand.

    The optical axes in the base's: z is (cos, 0, -sin), x is right (0, -1, 0), y is down and
    back (-sin, 0, -cos).
    """
    cosine, sine = np.cos(pitch_rad), np.sin(pitch_rad)
    rotation = np.array([[0.0, -sine, cosine], [-1.0, 0.0, 0.0], [0.0, -cosine, -sine]])
    return rigid(rotation, np.array([forward_m, 0.0, up_m]))


def stamp_of(stamp_ns: int) -> Time:
    """Turn nanoseconds into a stamp."""
    return Time(sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)


def stamp_ns(message) -> int:
    """Give the stamp of a message with a header."""
    return message.header.stamp.sec * 10**9 + message.header.stamp.nanosec


def transform(parent: str, child: str, matrix: np.ndarray, stamp_ns: int = 0) -> TransformStamped:
    """Make a transform parent_from_child from a rigid matrix."""
    message = TransformStamped(child_frame_id=child)
    message.header.frame_id = parent
    message.header.stamp = stamp_of(stamp_ns)
    p, q = message.transform.translation, message.transform.rotation
    p.x, p.y, p.z = matrix[:3, 3].tolist()
    q.x, q.y, q.z, q.w = quat_xyzw_from_matrix(matrix[:3, :3]).tolist()
    return message


def matrix_of(pose) -> np.ndarray:
    """Give the matrix of a Pose or of a Transform."""
    position = pose.translation if hasattr(pose, 'translation') else pose.position
    q = pose.rotation if hasattr(pose, 'rotation') else pose.orientation
    rotation = matrix_from_quat_xyzw(np.array([q.x, q.y, q.z, q.w]))
    return rigid(rotation, np.array([position.x, position.y, position.z]))


class Frames:
    """Tell TF about the robot, from the participant's own node."""

    def __init__(self, robot: Participant):
        self._static = StaticTransformBroadcaster(robot.node)
        self._moving = TransformBroadcaster(robot.node)

    def mount(self, base_from_optical: np.ndarray, base: str = 'base_link'):
        """Fix the camera to the robot."""
        self._static.sendTransform(transform(base, OPTICAL, base_from_optical))

    def move(self, parent: str, child: str, matrix: np.ndarray, stamp_ns: int):
        """Say where a frame is at a time."""
        self._moving.sendTransform(transform(parent, child, matrix, stamp_ns))


def frames_heard(robot: Participant, stamp_ns: int) -> dict[tuple[str, str], np.ndarray]:
    """Give what the node sent to /tf with this stamp: (parent, child) -> matrix."""
    return {
        (t.header.frame_id, t.child_frame_id): matrix_of(t.transform)
        for message in robot.messages('tf')
        for t in message.transforms
        if t.header.stamp.sec * 10**9 + t.header.stamp.nanosec == stamp_ns
    }


def publish_until(robot: Participant, condition, what: str) -> int:
    """Publish images until something is true of the stamp of one; give that stamp."""
    deadline = time.monotonic() + 30
    seed = 0
    while time.monotonic() < deadline:
        stamp = robot.publish_and_wait(picture(seed))
        if condition(stamp):
            return stamp
        seed += 1
        time.sleep(0.1)
    raise AssertionError(f'waited 30 s for: {what}')


def heard_on(robot: Participant, kind: type, topic: str, qos=10) -> list:
    """Subscribe to one more topic; the list grows as messages come."""
    messages: list = []
    robot.node.create_subscription(kind, topic, messages.append, qos)
    return messages


def wait_for(messages: list, condition=lambda message: True, what: str = 'a message'):
    """Wait for a message of a growing list that fulfils a condition; give the newest such."""
    wait_until(lambda: any(condition(message) for message in list(messages)), what)
    return next(message for message in reversed(messages) if condition(message))
