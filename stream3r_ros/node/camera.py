"""One camera of the node: what it hears, what is published of it, what became of its images."""

from __future__ import annotations

import math
import threading
import time
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
from stream3r_ros.msg import StreamStatus
from stream3r_ros.node.calibration import Calibration, KnownCamera
from stream3r_ros.node.demand import DepthDemand
from stream3r_ros.node.health import Circumstances, Health, Verdict
from stream3r_ros.node.listening import Listening, Quiet
from stream3r_ros.node.outputs import CameraOutputs
from stream3r_ros.node.scale_from_depth import HeardDepth
from stream3r_ros.node.scale_from_odometry import HeardOdometry

if TYPE_CHECKING:
    from stream3r_ros.node.perception_node import PerceptionNode
    from stream3r_ros.node.track import Track

ImageMessage = Image | CompressedImage
SCALE_QUEUE = 50
"""Messages of the scale's source that wait for their callback."""
IDLE_AFTER_S = 1.0
"""Nobody wants anything for so long: a subscriber that starts anew is not worth the discovery."""


class Camera:
    """A camera by its name, which is empty for the only one, and its number from 0."""

    def __init__(self, node: PerceptionNode, name: str, number: int, track: Track) -> None:
        self._node = node
        self._prefix = f'{name}/' if name else ''
        self.name = name
        self.number = number
        self.track = track
        self.health = Health()
        self.circumstances = Circumstances(is_active=False)  # renewed by the node's timer
        self.verdict: Verdict | None = None
        self._status_published = -math.inf
        self.calibration = Calibration('')
        self.last_stamp_ns: int | None = None
        self.outputs = CameraOutputs(node, self._prefix)
        self._rectification: Rectification | None = None
        self.heard_scale = self._make_heard_scale()
        self._is_new = True  # no image yet, so that any rectification will do
        self._seen: tuple = (None, None, None)
        self._quiet = Quiet()
        self._qos_problem = ''
        self.demand = DepthDemand()
        self._image_topic = ''
        self._subscriptions: list = []
        self._offer: Callable[[Camera, ImageMessage], None] | None = None
        self._unwanted_since = math.inf
        # A transition may come while a timer subscribes or unsubscribes.
        self._listening = threading.Lock()

    @property
    def _relative_topic(self) -> str:
        is_compressed = self._node.settings.input.transport == 'compressed'
        return 'image/compressed' if is_compressed else 'image'

    @property
    def is_wanted(self) -> bool:
        """Tell whether somebody listens to one of the camera's outputs."""
        return self.outputs.is_anyone_listening

    @property
    def since_status_s(self) -> float:
        """Give the seconds since the last ~/status."""
        return time.monotonic() - self._status_published

    def publish_status(self, status: StreamStatus) -> None:
        """Publish a status, of a frame or of none."""
        self._status_published = time.monotonic()
        self.outputs.publish_status(status)

    def listen(self, offer: Callable[[Camera, ImageMessage], None]) -> None:
        """Subscribe; every image goes to ``offer``."""
        with self._listening:
            self._offer = offer
            self.health.begin()
            name = f'{self._prefix}{self._relative_topic}'
            self._image_topic = self._node.resolve_topic_name(name)  # after remapping
            self.calibration = Calibration(self._image_topic)
            self._subscribe_to_all()

    def attend(self, is_wanted: bool) -> None:
        """Unsubscribe once nobody has wanted the images for a while, subscribe if somebody does.

        Receiving images costs time even if nothing is made of them.
        """
        with self._listening:
            if is_wanted or self._offer is None:
                self._unwanted_since = math.inf
            else:
                self._unwanted_since = min(self._unwanted_since, time.monotonic())
            is_idle = time.monotonic() - self._unwanted_since > IDLE_AFTER_S
            if is_idle and self._subscriptions:
                self._unsubscribe()
            elif is_wanted and self._offer is not None and not self._subscriptions:
                self._subscribe_to_all()

    def _subscribe_to_all(self) -> None:
        def on_image(message: ImageMessage) -> None:
            offer = self._offer
            if offer is not None:
                self._quiet.note()
                offer(self, message)

        self._quiet.note()
        # The info first: an image is better off with one.
        self._subscribe(CameraInfo, 'camera_info', self.calibration.update)
        heard = self.heard_scale
        if isinstance(heard, HeardOdometry):
            self._subscribe(Odometry, 'odom', heard.put, SCALE_QUEUE)
        elif isinstance(heard, HeardDepth):
            self._subscribe(Image, 'depth', heard.put)
            self._subscribe(CameraInfo, 'depth/camera_info', heard.put_info)
        is_raw = self._relative_topic == 'image'
        self._subscribe(Image if is_raw else CompressedImage, self._relative_topic, on_image)

    def _make_heard_scale(self) -> HeardOdometry | HeardDepth | None:
        settings = self._node.settings
        if settings.scale.source == 'odometry':
            return HeardOdometry()
        return HeardDepth(settings.input.max_pixels) if settings.scale.source == 'depth' else None

    def ignore(self) -> None:
        """Unsubscribe for good."""
        with self._listening:
            self._offer = None
            self._unsubscribe()
        self.last_stamp_ns = None
        self._is_new = True

    def _unsubscribe(self) -> None:
        # The list first: the diagnostics look at it in another thread.
        subscriptions, self._subscriptions = self._subscriptions, []
        for subscription in subscriptions:
            self._node.destroy_subscription(subscription)

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
        """Tell how the subscription is doing; None while there is to be none."""
        if self._offer is None:
            return None
        return Listening(
            self._image_topic,
            self._node.count_publishers(self._image_topic),
            self._quiet.seconds,
            stale_after_s,
            self._qos_problem,
            is_idle=not self._subscriptions,
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
