"""Publishers of /tf and /tf_static."""

from geometry_msgs.msg import TransformStamped
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile
from tf2_msgs.msg import TFMessage

Transforms = TransformStamped | list[TransformStamped]


def _listed(transform: Transforms) -> list[TransformStamped]:
    return list(transform) if hasattr(transform, '__iter__') else [transform]


class TransformBroadcaster:
    """Publish transforms that change, on /tf."""

    def __init__(self, node: Node, qos: QoSProfile | int | None = None) -> None:
        if qos is None:
            qos = QoSProfile(depth=100)
        self.pub_tf = node.create_publisher(TFMessage, '/tf', qos)

    def sendTransform(self, transform: Transforms) -> None:  # noqa: N802, the name in tf2_ros
        """Publish one transform or a list of them in one message."""
        self.pub_tf.publish(TFMessage(transforms=_listed(transform)))


class StaticTransformBroadcaster:
    """Publish transforms that never change, on /tf_static, also to those who come later."""

    def __init__(self, node: Node, qos: QoSProfile | int | None = None) -> None:
        if qos is None:
            qos = QoSProfile(
                depth=1,
                durability=DurabilityPolicy.TRANSIENT_LOCAL,
                history=HistoryPolicy.KEEP_LAST,
            )
        self.pub_tf = node.create_publisher(TFMessage, '/tf_static', qos)
        self.net_message = TFMessage()

    def sendTransform(self, transform: Transforms) -> None:  # noqa: N802, the name in tf2_ros
        """Publish everything sent so far; as in Jazzy a frame that is sent again stays put."""
        sent = self.net_message.transforms
        for one in _listed(transform):
            if all(one.child_frame_id != other.child_frame_id for other in sent):
                sent.append(one)
        self.pub_tf.publish(self.net_message)
