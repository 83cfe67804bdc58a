"""The subscriber that fills a buffer."""

from threading import Thread

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile
from tf2_msgs.msg import TFMessage

from tf2_ros.buffer import Buffer

AUTHORITY = 'default_authority'


class TransformListener:
    """Keep a buffer up to date from /tf and /tf_static until `unregister`."""

    def __init__(
        self,
        buffer: Buffer,
        node: Node,
        *,
        spin_thread: bool = False,
        qos: QoSProfile | int | None = None,
        static_qos: QoSProfile | int | None = None,
    ) -> None:
        if qos is None:
            qos = QoSProfile(depth=100, history=HistoryPolicy.KEEP_LAST)
        if static_qos is None:
            static_qos = QoSProfile(
                depth=100,
                durability=DurabilityPolicy.TRANSIENT_LOCAL,
                history=HistoryPolicy.KEEP_LAST,
            )
        self.buffer = buffer
        self.node = node
        # Reentrant, so that a callback may wait for a transform that arrives in another thread.
        self.group = ReentrantCallbackGroup()
        self.tf_sub = self._subscribe('/tf', self.callback, qos)
        self.tf_static_sub = self._subscribe('/tf_static', self.static_callback, static_qos)
        if spin_thread:
            self._spin_in_thread()

    def callback(self, data: TFMessage) -> None:
        """Put what came on /tf into the buffer."""
        for transform in data.transforms:
            self.buffer.set_transform(transform, AUTHORITY)

    def static_callback(self, data: TFMessage) -> None:
        """Put what came on /tf_static into the buffer."""
        for transform in data.transforms:
            self.buffer.set_transform_static(transform, AUTHORITY)

    def unregister(self) -> None:
        """Stop listening."""
        self.node.destroy_subscription(self.tf_sub)
        self.node.destroy_subscription(self.tf_static_sub)

    def _subscribe(self, topic, callback, qos):
        return self.node.create_subscription(
            TFMessage, topic, callback, qos, callback_group=self.group
        )

    def _spin_in_thread(self) -> None:
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.node)
        self.dedicated_listener_thread = Thread(target=self._spin, daemon=True)
        self.dedicated_listener_thread.start()

    def _spin(self) -> None:
        try:
            self.executor.spin()
        except ExternalShutdownException:
            pass
