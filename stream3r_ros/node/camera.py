"""One camera of the node: what it hears, what is published of it, what became of its images."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from nav_msgs.msg import Odometry
from rclpy.event_handler import QoSRequestedIncompatibleQoSInfo, SubscriptionEventCallbacks
from rclpy.qos import QoSProfile, ReliabilityPolicy, qos_policy_name_from_kind
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from stream3r_ros.images import ImageMapping
from stream3r_ros.images.rectify import Rectification
from stream3r_ros.images.registration import mask_at_network
from stream3r_ros.node.calibration import Calibration, KnownCamera
from stream3r_ros.node.counters import Counters
from stream3r_ros.node.diagnostics import Health, Listening, Quiet
from stream3r_ros.node.outputs import CameraOutputs
from stream3r_ros.node.scale_from_depth import HeardDepth
from stream3r_ros.node.scale_from_odometry import HeardOdometry

if TYPE_CHECKING:
    from stream3r_ros.node.perception_node import PerceptionNode
    from stream3r_ros.node.track import Track

ImageMessage = Image | CompressedImage
SCALE_QUEUE = 50
"""Messages of the scale's source that wait for their callback."""


class Camera:
    """A camera by its name, which is empty for the only one, and its number from 0."""

    def __init__(self, node: PerceptionNode, name: str, number: int, track: Track) -> None:
        self._node = node
        self._prefix = f'{name}/' if name else ''
        self.name = name
        self.number = number
        self.track = track
        self.counters = Counters()
        self.health = Health()
        self.calibration = Calibration('')
        self.last_stamp_ns: int | None = None
        self.outputs = CameraOutputs(node, self._prefix)
        self._rectification: Rectification | None = None
        self.heard_scale = self._make_heard_scale()
        self._is_new = True  # no image yet, so that any rectification will do
        self._seen: tuple = (None, None, None)
        self._quiet = Quiet()
        self._qos_problem = ''
        self._image_topic = ''
        self._subscriptions: list = []

    @property
    def is_wanted(self) -> bool:
        """Tell whether somebody listens to one of the camera's outputs."""
        return self.outputs.is_anyone_listening

    def listen(self, offer: Callable[[Camera, ImageMessage], None]) -> None:
        """Subscribe; every image goes to ``offer``."""

        def on_image(message: ImageMessage) -> None:
            self._quiet.note()
            offer(self, message)

        self._quiet.note()
        if self._node.settings.input.transport == 'compressed':
            self._subscribe(CompressedImage, 'image/compressed', on_image)
        else:
            self._subscribe(Image, 'image', on_image)
        self._image_topic = self._subscriptions[0].topic_name  # after remapping
        self.calibration = Calibration(self._image_topic)
        self._subscribe(CameraInfo, 'camera_info', self.calibration.update)
        heard = self.heard_scale
        if isinstance(heard, HeardOdometry):
            self._subscribe(Odometry, 'odom', heard.put, SCALE_QUEUE)
        elif isinstance(heard, HeardDepth):
            self._subscribe(Image, 'depth', heard.put)
            self._subscribe(CameraInfo, 'depth/camera_info', heard.put_info)

    def _make_heard_scale(self) -> HeardOdometry | HeardDepth | None:
        settings = self._node.settings
        if settings.scale.source == 'odometry':
            return HeardOdometry()
        return HeardDepth(settings.input.max_pixels) if settings.scale.source == 'depth' else None

    def ignore(self) -> None:
        """Unsubscribe."""
        # The list first: the diagnostics look at it in another thread.
        subscriptions, self._subscriptions = self._subscriptions, []
        for subscription in subscriptions:
            self._node.destroy_subscription(subscription)
        self.last_stamp_ns = None
        self._is_new = True

    def has_other_lens(self, known: KnownCamera) -> bool:
        """Tell whether images are rectified otherwise than the ones before, and take note."""
        changed = not self._is_new and known.rectification is not self._rectification
        self._is_new, self._rectification = False, known.rectification
        return changed

    def seen(self, known: KnownCamera, mapping: ImageMapping) -> np.ndarray | None:
        """Mark network pixels (H, W) that show something; None where all of the image does.

        A rectified image has black corners that the camera did not see.
        """
        if known.rectification is None:
            return None
        if self._seen[:2] != (known.rectification, mapping):
            mask = mask_at_network(known.rectification.seen, mapping)
            self._seen = (known.rectification, mapping, mask)
        return self._seen[2]

    def listening(self, stale_after_s: float) -> Listening | None:
        """Tell how the subscription is doing; None while there is none."""
        if not self._subscriptions:
            return None
        return Listening(
            self._image_topic,
            self._node.count_publishers(self._image_topic),
            self._quiet.seconds,
            stale_after_s,
            self._qos_problem,
        )

    def _subscribe(self, kind: type, topic: str, callback: Callable, depth: int = 0) -> None:
        def on_mismatch(info: QoSRequestedIncompatibleQoSInfo) -> None:
            policy = qos_policy_name_from_kind(info.last_policy_kind)
            self._qos_problem = f'a publisher there offers an incompatible {policy} policy'
            self._node.get_logger().warning(f'{topic}: {self._qos_problem}')

        qos = QoSProfile(
            depth=depth or self._node.settings.input.capacity,
            reliability=ReliabilityPolicy.BEST_EFFORT,
        )
        self._subscriptions.append(
            self._node.create_subscription(
                kind, f'{self._prefix}{topic}', callback, qos,
                event_callbacks=SubscriptionEventCallbacks(incompatible_qos=on_mismatch),
                qos_overriding_options=QoSOverridingOptions.with_default_policies(),
            )
        )  # fmt: skip
