"""Listen to the node and leave a folder: cloud, trajectory, picture and the accounts."""

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from geometry_msgs.msg import PoseStamped, PoseWithCovarianceStamped
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, Image, PointCloud2

from stream3r_ros.export import (
    VoxelMap,
    demo_picture,
    write_bytes,
    write_ply,
    write_png,
    write_trajectory_tum,
)
from stream3r_ros.export.errors import errors_table, write_errors
from stream3r_ros.export.files import check_folder
from stream3r_ros.msg import StreamStatus
from stream3r_ros.node.accounts import statuses_csv, summary
from stream3r_ros.node.declaration import declare
from stream3r_ros.node.decode import ImageError, decode_image
from stream3r_ros.node.endpoints import overridable
from stream3r_ros.node.heard import Pending, cloud_arrays, depth_array, pose_matrix, stamp_ns
from stream3r_ros.node.process import StartError
from stream3r_ros.node.programs import RECORDER
from stream3r_ros.node.status import is_of_a_frame
from stream3r_ros.node.truth import TRUE_DEPTH, TRUE_POSE, TruthRecord

PENDING_FRAMES = 30
MAX_FRAMES = 100_000
MAX_CLOUD_POINTS = 500_000
MAX_IMAGE_PIXELS = 33_177_600
TELL_S = 5.0
"""Seconds between two sentences about what is waited for."""


class Recorder(Node):
    """Gather what the node says about each frame until enough frames came or it falls silent.

    Clouds are put into the world by the pose of their own stamp. A reset begins the record anew,
    since another stream has another world, and so does a segment, whose lengths have another
    unit. Of very long streams the last MAX_FRAMES frames count. With ``truth`` the player's truth
    is heard, too, and the errors against it are written.
    """

    def __init__(self, stop: threading.Event) -> None:
        super().__init__('stream3r_recorder')
        self.exit_status = 0
        self._stop_requested = stop
        declare(self, RECORDER)
        self._out = Path(self.get_parameter('out').value)
        if not self._out.name:
            raise StartError('out must name the folder to write, such as -p out:=recording')
        try:
            check_folder(self._out)
        except OSError as error:
            raise StartError(f'out: {error}') from error
        self._heard = time.monotonic()
        self._statuses: deque[StreamStatus] = deque(maxlen=MAX_FRAMES)
        self._latest = StreamStatus()  # which may be about no frame
        self._unjoined: list[StreamStatus] = []
        self._images, self._depths, self._clouds, self._poses = (
            Pending(PENDING_FRAMES) for _ in range(4)
        )
        self._truth = TruthRecord() if self.get_parameter('truth').value else None
        self._begin()
        self._subscribe()
        # By the steady clock: /clock may stand still.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = self.create_timer(0.2, self._on_timer, clock=steady)
        self._told = time.monotonic()

    def stop(self, timeout_s: float) -> bool:
        """Write what there is; nothing when no frame came."""
        if self._trajectory:
            try:
                self._write()
            except OSError as error:
                self.get_logger().error(f'the recording cannot be written: {error}')
                self.exit_status = 1
        return True

    def _begin(self) -> None:
        self._map = VoxelMap(max_points=MAX_CLOUD_POINTS)
        self._trajectory: OrderedDict[int, np.ndarray] = OrderedDict()
        self._stream = 0, 0
        self._shown: tuple[np.ndarray, np.ndarray] | None = None

    def _subscribe(self) -> None:
        self._outputs: list[Subscription] = []
        self._listen(PoseWithCovarianceStamped, 'stream3r/pose', 'pose', self._poses.put)
        self._listen(Image, 'stream3r/depth/image', 'depth', self._depths.put)
        self._listen(PointCloud2, 'stream3r/points', None, self._clouds.put)
        self._listen(StreamStatus, 'stream3r/status', 'status', self._on_status)
        if self._truth is not None:
            self._listen(CameraInfo, 'stream3r/depth/camera_info', 'depth_info')
            self._listen(CameraInfo, 'camera_info', 'camera_info')
            self._listen(PoseStamped, TRUE_POSE, 'true_pose')
            self._listen(Image, TRUE_DEPTH, 'true_depth')
        self._image_subscription: Subscription | None = None

    def _listen(
        self, kind: type, topic: str, part: str | None, callback: Callable | None = None
    ) -> None:
        """Subscribe for the record and, if it is a part of that, for the comparison."""
        hearers = [] if callback is None else [callback]
        if part is not None and self._truth is not None:
            hearers.append(partial(self._truth.put, part))

        def hear(message) -> None:
            for hearer in hearers:
                hearer(message)

        qos = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
        self._outputs.append(
            self.create_subscription(kind, topic, hear, qos, qos_overriding_options=overridable())
        )

    def _subscribe_to_images(self) -> None:
        """Subscribe once the node is there, so that who waits for us does not begin too early."""
        if self._image_subscription is None and not self._silent_topics():
            qos = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
            self._image_subscription = self.create_subscription(
                Image, 'image', self._images.put, qos, qos_overriding_options=overridable()
            )

    def _silent_topics(self) -> list[str]:
        topics = [subscription.topic_name for subscription in self._outputs]
        return [topic for topic in topics if not self.count_publishers(topic)]

    def _on_status(self, status: StreamStatus) -> None:
        """Join what was heard about a frame; the status is the last message about it."""
        self._latest = status
        if not is_of_a_frame(status):
            return
        self._heard = time.monotonic()
        self._statuses.append(status)
        # Topics may overtake each other by a little: a status waits for its partners.
        self._unjoined = [s for s in (*self._unjoined, status) if not self._join(s)]
        self._unjoined = self._unjoined[-PENDING_FRAMES:]
        if status.processed % 10 == 0:
            self.get_logger().info(f'{status.processed} frames, {len(self._map)} points')

    def _join(self, status: StreamStatus) -> bool:
        stamp = stamp_ns(status)
        pose, cloud = self._poses.get(stamp), self._clouds.get(stamp)
        if pose is None or cloud is None:
            return False
        if (status.stream, status.segment) != self._stream:
            self._begin()
            self._stream = status.stream, status.segment
        self._poses.pop(stamp)
        self._clouds.pop(stamp)
        world_from_camera = pose_matrix(pose.pose.pose)
        self._trajectory[stamp] = world_from_camera
        if len(self._trajectory) > MAX_FRAMES:
            self._trajectory.popitem(last=False)
        points, colours, confidence = cloud_arrays(cloud)
        in_world = points @ world_from_camera[:3, :3].T + world_from_camera[:3, 3]
        self._map.add(in_world.astype(np.float32), colours, confidence)
        self._show(self._images.pop(stamp), self._depths.pop(stamp))
        return True

    def _show(self, image: Image | None, depth: Image | None) -> None:
        """Keep the last frame whose image and depth were both heard, for the picture."""
        if image is None or depth is None:
            return
        try:
            self._shown = decode_image(image, MAX_IMAGE_PIXELS), depth_array(depth)
        except ImageError as error:
            self.get_logger().warning(f'no picture of this image: {error}')

    def _on_timer(self) -> None:
        self._subscribe_to_images()
        self._check_end()

    def _check_end(self) -> None:
        silence_s = time.monotonic() - self._heard
        if not self._statuses:
            self._say_what_is_awaited(silence_s)
            self._check_patience(silence_s)
            return
        frames, idle = self.get_parameter('frames').value, self.get_parameter('idle').value
        beyond = self._latest.received - frames if frames else -1
        # What was played to its end may still be under way; an endless stream goes on.
        if (idle and silence_s > idle) or beyond > 0 or (beyond == 0 and silence_s > 1.0):
            self._stop_requested.set()

    def _say_what_is_awaited(self, silence_s: float) -> None:
        """Say every few seconds for whom the first frame waits."""
        if time.monotonic() - self._told < TELL_S:
            return
        self._told = time.monotonic()
        silent = ', '.join(self._silent_topics())
        why = (
            f'nobody publishes {silent}' if silent else self._latest.reason or 'the node is there'
        )
        self.get_logger().info(f'no frame for {silence_s:.0f} s: {why}')

    def _check_patience(self, silence_s: float) -> None:
        patience = self.get_parameter('patience').value
        if patience and silence_s > patience:
            silent = ', '.join(self._silent_topics())
            why = f'nobody publishes {silent}' if silent else self._latest.reason
            why = why or 'is the node active?'
            self.get_logger().error(f'no frame came for {patience:g} s: {why}')
            self.exit_status = 1
            self._stop_requested.set()

    def _write(self) -> None:
        self._out.mkdir(parents=True, exist_ok=True)
        points, colours = self._map.points, self._map.colors
        write_ply(self._out / 'cloud.ply', points, colours)
        poses = [self._trajectory[stamp] for stamp in sorted(self._trajectory)]
        stamps_s = [stamp / 1e9 for stamp in sorted(self._trajectory)]
        write_trajectory_tum(self._out / 'trajectory.tum', stamps_s, poses)
        statuses = list(self._statuses)
        write_bytes(self._out / 'status.csv', statuses_csv(statuses).encode())
        if self._shown is not None:
            picture = demo_picture(
                *self._shown, points, colours, np.array(poses)[:, :3, 3],
                up=(0, 0, 1), forward=(1, 0, 0), caption=self.get_parameter('caption').value,
            )  # fmt: skip
            write_png(self._out / 'picture.png', picture)
        print(summary(statuses, self._latest, len(points), self._out), flush=True)
        if self._truth is not None:
            self._write_errors(self._truth)

    def _write_errors(self, truth: TruthRecord) -> None:
        try:
            errors = truth.errors()
        except ValueError as error:
            self.get_logger().warning(f'no errors against the truth: {error}')
            return
        write_errors(self._out / 'errors.json', errors)
        print(errors_table(errors), flush=True)
