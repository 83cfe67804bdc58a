"""Publish a folder, a video or the synthetic room as a camera would."""

import io
import threading
import time
from collections.abc import Iterator
from itertools import chain, islice

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import PoseStamped
from PIL import Image as PillowImage
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from stream3r_ros.node.declaration import declare
from stream3r_ros.node.endpoints import overridable
from stream3r_ros.node.log import Once
from stream3r_ros.node.messages import camera_info_message, depth_message, fill, pose_message
from stream3r_ros.node.process import StartError
from stream3r_ros.node.programs import PLAYER
from stream3r_ros.sources import FrameSource, SourceError, SourceFrame, open_source

JPEG_QUALITY = 90
SOURCE_WORLD = 'source_world'
NANOSECONDS = 10**9


class Player(Node):
    """Publish ``image`` or ``image/compressed`` with ``camera_info`` at a steady rate.

    The stamps of sim time begin at 0 s and rise by 1 / rate; otherwise they are the node's clock.
    A source that knows the truth gives it before each image, with the image's stamp, to those who
    subscribe: ``~/true_pose``, the optical frame's pose in SOURCE_WORLD, and ``~/true_depth``,
    32FC1 metres of the image's size.
    """

    def __init__(self, stop: threading.Event) -> None:
        super().__init__('stream3r_player')
        self.exit_status = 0
        self._stop_requested = stop
        declare(self, PLAYER)
        self._said = Once()
        self._source = self._open()
        for left_out in self._source.left_out:
            self.get_logger().warning(str(left_out))
        self._rate = self._value('rate') or self._source.rate_hz
        self._playing = self._frames()
        self._first = self._read_first()
        self._make_publishers()
        self._thread = threading.Thread(target=self._run, name='player', daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float) -> bool:
        """End the publishing thread; tell whether it ended in time."""
        self._stop_requested.set()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _value(self, name: str):
        return self.get_parameter(name).value

    def _open(self) -> FrameSource:
        try:
            return open_source(
                self._value('source'),
                synthetic_hw=(self._value('image_height'), self._value('image_width')),
                skip=self._skip,
            )
        except SourceError as error:
            raise StartError(str(error)) from error

    def _read_first(self) -> list[SourceFrame]:
        """Read before anything is offered: a room is lit for seconds, and a camera is ready."""
        try:
            return list(islice(self._playing, 1))
        except SourceError as error:
            raise StartError(str(error)) from error

    def _make_publishers(self) -> None:
        kind, topic = (Image, 'image')
        if self._value('compressed'):
            kind, topic = (CompressedImage, 'image/compressed')
        self._images = self._publisher(kind, topic)
        self._infos = self._publisher(CameraInfo, 'camera_info')
        self._true_poses = self._publisher(PoseStamped, '~/true_pose')
        self._true_depths = self._publisher(Image, '~/true_depth')
        if self._value('publish_clock'):
            clock_qos = QoSProfile(
                depth=1,
                reliability=ReliabilityPolicy.BEST_EFFORT,
                durability=DurabilityPolicy.VOLATILE,
            )
            self._clock = self.create_publisher(Clock, '/clock', clock_qos)

    def _skip(self, name: str, sentence: str, count: int = 1) -> None:
        if self._said.allows(sentence):
            self.get_logger().warning(f'skipped: {sentence}')

    def _publisher(self, kind: type, topic: str):
        # A profile of its own: rclpy writes overrides into it.
        qos = QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE)
        return self.create_publisher(kind, topic, qos, qos_overriding_options=overridable())

    def _run(self) -> None:
        try:
            self._wait_for_subscribers()
            self._play()
        except SourceError as error:
            self.get_logger().error(str(error))
            self.exit_status = 2
        except BaseException as error:
            self.get_logger().fatal(f'the player ended: {type(error).__name__}: {error}')
            self.exit_status = 1
            raise
        finally:
            self._stop_requested.set()

    def _wait_for_subscribers(self) -> None:
        needed = self._value('min_subscribers')
        while self._images.get_subscription_count() < needed:
            if self._stop_requested.wait(0.05):
                return

    def _play(self) -> None:
        published = 0
        due = time.monotonic()
        for frame in chain(self._first, self._playing):
            if self._stop_requested.wait(max(0.0, due - time.monotonic())):
                return
            self._publish(frame, published)
            published += 1
            if published == self._value('frames'):
                break
            # Like a camera: a late frame delays the next ones, none of them comes in a burst.
            due = max(due, time.monotonic() - 1 / self._rate) + 1 / self._rate
        self.get_logger().info(f'played {published} images')
        for publisher in (self._true_poses, self._true_depths, self._images):
            publisher.wait_for_all_acked(Duration(seconds=1))

    def _frames(self) -> Iterator[SourceFrame]:
        while True:
            yield from self._source
            if not self._value('loop'):
                return

    def _publish(self, frame: SourceFrame, number: int) -> None:
        header = Header(stamp=self._stamp(number), frame_id=self._frame(self._value('frame_id')))
        height, width = frame.image_rgb.shape[:2]
        intrinsics = np.zeros((3, 3)) if frame.intrinsics is None else frame.intrinsics
        self._publish_truth(header, frame)
        self._infos.publish(camera_info_message(header, intrinsics, (height, width)))
        if self._value('compressed'):
            self._images.publish(compressed_message(header, frame))
        else:
            self._images.publish(image_message(header, frame.image_rgb))

    def _publish_truth(self, header: Header, frame: SourceFrame) -> None:
        if frame.world_from_camera is not None and self._true_poses.get_subscription_count():
            in_world = Header(stamp=header.stamp, frame_id=self._frame(SOURCE_WORLD))
            pose = pose_message(in_world, frame.world_from_camera).pose.pose
            self._true_poses.publish(PoseStamped(header=in_world, pose=pose))
        if frame.depth_m is not None and self._true_depths.get_subscription_count():
            self._true_depths.publish(depth_message(header, frame.depth_m))

    def _frame(self, name: str) -> str:
        return self._value('frame_prefix') + name

    def _stamp(self, number: int) -> Time:
        if not self._value('publish_clock'):
            return self.get_clock().now().to_msg()
        nanoseconds = round(number * NANOSECONDS / self._rate)
        stamp = Time(sec=nanoseconds // NANOSECONDS, nanosec=nanoseconds % NANOSECONDS)
        self._clock.publish(Clock(clock=stamp))
        return stamp


def image_message(header: Header, image_rgb: np.ndarray) -> Image:
    """Make an rgb8 image from uint8 (h, w, 3)."""
    height, width = image_rgb.shape[:2]
    return Image(
        header=header, height=height, width=width, encoding='rgb8', step=3 * width,
        data=fill(image_rgb),
    )  # fmt: skip


def compressed_message(header: Header, frame: SourceFrame) -> CompressedImage:
    """Pass the file's own JPEG or PNG on, or encode a JPEG where there is none."""
    encoded, kind = frame.encoded, frame.encoded_format
    if encoded is None:
        buffer = io.BytesIO()
        PillowImage.fromarray(frame.image_rgb).save(buffer, 'JPEG', quality=JPEG_QUALITY)
        encoded, kind = buffer.getvalue(), 'jpeg'
    # The form of image_transport: pixel format, then codec.
    return CompressedImage(
        header=header,
        format=f'rgb8; {kind} compressed',
        data=fill(np.frombuffer(encoded, np.uint8)),
    )
