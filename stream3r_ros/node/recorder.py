"""Listen to the node and leave a folder: cloud, trajectory, picture and the accounts."""

import csv
import io
import threading
import time
from collections import OrderedDict, deque
from pathlib import Path

import numpy as np
from geometry_msgs.msg import PoseWithCovarianceStamped
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image, PointCloud2

from stream3r_ros.export import (
    VoxelMap,
    demo_picture,
    write_bytes,
    write_ply,
    write_png,
    write_trajectory_tum,
)
from stream3r_ros.msg import StreamStatus
from stream3r_ros.node.decode import ImageError, decode_image
from stream3r_ros.node.heard import Pending, cloud_arrays, pose_matrix, stamp_ns
from stream3r_ros.node.process import StartError

PENDING_FRAMES = 30
MAX_FRAMES = 100_000
MAX_CLOUD_POINTS = 500_000
MAX_IMAGE_PIXELS = 33_177_600
STATUS_FIELDS = [
    name for name in StreamStatus.get_fields_and_field_types() if name != 'header'
]  # fmt: skip
SHOWN = (
    ('waiting', 'latency_queue'),
    ('decoding', 'latency_decode'),
    ('network', 'latency_network'),
    ('publishing', 'latency_publish'),
    ('total', 'latency_total'),
)


class Recorder(Node):
    """Gather what the node says about each frame until enough frames came or it falls silent.

    Clouds are put into the world by the pose of their own stamp. A reset begins the record anew,
    since another stream has another world. Of very long streams the last MAX_FRAMES frames count.
    """

    def __init__(self, stop: threading.Event) -> None:
        super().__init__('stream3r_recorder')
        self.exit_status = 0
        self._stop_requested = stop
        self._declare()
        self._out = Path(self.get_parameter('out').value)
        if not self._out.name:
            raise StartError('out must name the folder to write, such as -p out:=recording')
        self._heard = time.monotonic()
        self._statuses: deque[StreamStatus] = deque(maxlen=MAX_FRAMES)
        self._unjoined: list[StreamStatus] = []
        self._images, self._depths, self._clouds, self._poses = (
            Pending(PENDING_FRAMES) for _ in range(4)
        )
        self._begin()
        self._subscribe()
        self._timer = self.create_timer(0.2, self._on_timer)

    def stop(self, timeout_s: float) -> bool:
        """Write what there is; nothing when no frame came."""
        if self._trajectory:
            self._write()
        return True

    def _declare(self) -> None:
        def describe(text: str, **more) -> ParameterDescriptor:
            return ParameterDescriptor(description=text, read_only=True, **more)

        seconds = [FloatingPointRange(from_value=0.0, to_value=1e6)]
        self.declare_parameter('out', '', describe('Folder to write'))
        self.declare_parameter(
            'frames', 0, describe(
                'End when the node has received this many images; 0 is no limit',
                integer_range=[IntegerRange(from_value=0, to_value=2**31 - 1, step=1)],
            ),
        )  # fmt: skip
        self.declare_parameter(
            'idle', 0.0, describe(
                'End after this many seconds of silence once frames came; 0 waits for ever',
                floating_point_range=seconds,
            ),
        )  # fmt: skip
        self.declare_parameter(
            'patience', 0.0, describe(
                'Give up with status 1 when no frame came after this many seconds; 0 never does',
                floating_point_range=seconds,
            ),
        )  # fmt: skip
        self.declare_parameter('caption', '', describe('A line under the picture'))

    def _begin(self) -> None:
        self._map = VoxelMap(max_points=MAX_CLOUD_POINTS)
        self._trajectory: OrderedDict[int, np.ndarray] = OrderedDict()
        self._stream = 0
        self._shown: tuple[np.ndarray, np.ndarray] | None = None

    def _subscribe(self) -> None:
        reliable = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
        outputs = (
            (PoseWithCovarianceStamped, 'stream3r/pose', self._poses.put),
            (Image, 'stream3r/depth/image', self._depths.put),
            (PointCloud2, 'stream3r/points', self._clouds.put),
            (StreamStatus, 'stream3r/status', self._on_status),
        )
        self._outputs = [
            self.create_subscription(kind, topic, callback, reliable)
            for kind, topic, callback in outputs
        ]
        self._image_subscription = None

    def _subscribe_to_images(self) -> None:
        """Subscribe once the node is there, so that who waits for us does not begin too early."""
        topics = [subscription.topic_name for subscription in self._outputs]
        if self._image_subscription is None and all(map(self.count_publishers, topics)):
            qos = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
            self._image_subscription = self.create_subscription(
                Image, 'image', self._images.put, qos
            )

    def _on_status(self, status: StreamStatus) -> None:
        """Join what was heard about a frame; the status is the last message about it."""
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
        if status.stream != self._stream:
            self._begin()
            self._stream = status.stream
        self._poses.pop(stamp)
        self._clouds.pop(stamp)
        world_from_camera = pose_matrix(pose)
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
        values = np.frombuffer(depth.data, np.float32).reshape(depth.height, depth.width)
        try:
            self._shown = decode_image(image, MAX_IMAGE_PIXELS), values
        except ImageError as error:
            self.get_logger().warning(f'no picture of this image: {error}')

    def _on_timer(self) -> None:
        self._subscribe_to_images()
        self._check_end()

    def _check_end(self) -> None:
        silence_s = time.monotonic() - self._heard
        if not self._statuses:
            self._check_patience(silence_s)
            return
        frames, idle = self.get_parameter('frames').value, self.get_parameter('idle').value
        beyond = self._statuses[-1].received - frames if frames else -1
        # What was played to its end may still be under way; an endless stream goes on.
        if (idle and silence_s > idle) or beyond > 0 or (beyond == 0 and silence_s > 1.0):
            self._stop_requested.set()

    def _check_patience(self, silence_s: float) -> None:
        patience = self.get_parameter('patience').value
        if patience and silence_s > patience:
            self.get_logger().error(f'no frame came for {patience:g} s: is the node active?')
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
        print(summary(statuses, len(points), self._out), flush=True)


def statuses_csv(statuses: list[StreamStatus]) -> str:
    """Give one line per status, stamps in seconds."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(['stamp', *STATUS_FIELDS])
    for status in statuses:
        stamp = f'{status.header.stamp.sec}.{status.header.stamp.nanosec:09d}'
        writer.writerow([stamp, *(getattr(status, field) for field in STATUS_FIELDS)])
    return text.getvalue()


def summary(statuses: list[StreamStatus], points: int, out: Path) -> str:
    """Give the short table that is printed at the end."""
    last = statuses[-1]
    span = (stamp_ns(last) - stamp_ns(statuses[0])) / 1e9
    rows = [
        ('images received', f'{last.received}'),
        ('processed', f'{last.processed}'),
        ('dropped, refused', f'{last.dropped}, {last.refused}'),
        ('frames per second', f'{(len(statuses) - 1) / span:.1f}' if span > 0 else '-'),
        ('mode', last.mode),
    ]
    for label, field in SHOWN:
        values = [1e3 * getattr(status, field) for status in statuses]
        median, p95 = np.percentile(values, [50, 95])
        rows.append((f'{label}, median / p95', f'{median:.1f} / {p95:.1f} ms'))
    rows += [('points in the cloud', f'{points}'), ('written to', str(out))]
    width = max(len(label) for label, _ in rows)
    return '\n'.join(f'  {label:<{width}}  {value}' for label, value in rows)
