"""One camera of the node: what it hears, what is published of it, what became of its images."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from nav_msgs.msg import Odometry
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from stream3r_ros.images import ImageMapping
from stream3r_ros.images.rectify import Rectification
from stream3r_ros.images.registration import mask_at_network
from stream3r_ros.msg import StreamStatus
from stream3r_ros.node.arrivals import Arrivals
from stream3r_ros.node.calibration import Calibration, KnownCamera
from stream3r_ros.node.demand import DepthDemand
from stream3r_ros.node.health import LOST_ON_THE_WAY, Circumstances, Health, Verdict
from stream3r_ros.node.listening import Input, Listening, Quiet
from stream3r_ros.node.outputs import CameraOutputs
from stream3r_ros.node.scale_from_depth import HeardDepth
from stream3r_ros.node.scale_from_odometry import HeardOdometry

if TYPE_CHECKING:
    from stream3r_ros.node.perception_node import PerceptionNode
    from stream3r_ros.node.track import Track

ImageMessage = Image | CompressedImage
IMAGE_QUEUE = 5
"""Images that may come while a callback runs; the mailbox, which counts, drops the older ones."""
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
        self.demand = DepthDemand()
        self._image_topic = ''
        self._inputs: list[Input] = []  # the images' last
        self.arrivals = Arrivals()
        self._has_told_of_losses = False
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
            if is_idle and self._inputs:
                self._unsubscribe()
            elif is_wanted and self._offer is not None and not self._inputs:
                self._subscribe_to_all()
            for each in self._inputs:
                each.adapt()

    def _subscribe_to_all(self) -> None:
        self._quiet.note()
        self.arrivals.begin()
        self._inputs = self._make_inputs()
        for each in self._inputs:
            each.subscribe()

    def _make_inputs(self) -> list[Input]:
        """List what is heard: camera_info first, since an image is better off with one."""
        heard, settings = self.heard_scale, self._node.settings.input
        inputs = [self._input(CameraInfo, 'camera_info', self.calibration.update, is_latched=True)]
        if isinstance(heard, HeardOdometry):
            inputs.append(self._input(Odometry, 'odom', heard.put, depth=SCALE_QUEUE))
        elif isinstance(heard, HeardDepth):
            inputs.append(self._input(Image, 'depth', heard.put))
            inputs.append(
                self._input(CameraInfo, 'depth/camera_info', heard.put_info, is_latched=True)
            )
        kind = Image if self._relative_topic == 'image' else CompressedImage
        image = self._input(
            kind, self._relative_topic, self._on_image, max(settings.capacity, IMAGE_QUEUE),
            reliability=settings.reliability,
        )  # fmt: skip
        return [*inputs, image]

    def _input(
        self, kind: type, topic: str, callback: Callable, depth: int = 0, **options
    ) -> Input:
        name = self._node.resolve_topic_name(f'{self._prefix}{topic}')
        capacity = depth or self._node.settings.input.capacity
        return Input(self._node, kind, name, callback, capacity, **options)

    def _on_image(self, message: ImageMessage) -> None:
        offer = self._offer
        if offer is None:
            return
        self._quiet.note()
        stamp = message.header.stamp
        self._note_losses(self.arrivals.put(stamp.sec * 10**9 + stamp.nanosec))
        offer(self, message)

    def _note_losses(self, count: int) -> None:
        if not count:
            return
        self.health.lost_on_the_way(count)
        if self.health.happened().is_losing_many and not self._has_told_of_losses:
            self._has_told_of_losses = True
            self._node.get_logger().warning(f'{self._image_topic}: {LOST_ON_THE_WAY}')

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
        inputs, self._inputs = self._inputs, []
        for each in inputs:
            each.unsubscribe()

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
        inputs = self._inputs
        image = inputs[-1] if inputs else None
        return Listening(
            self._image_topic,
            self._node.count_publishers(self._image_topic),
            self._quiet.seconds,
            stale_after_s,
            image.qos_problem if image else '',
            image.type_problem if image else '',
            is_idle=not inputs,
            problem='; '.join(filter(None, (each.unheard() for each in inputs[:-1]))),
        )
