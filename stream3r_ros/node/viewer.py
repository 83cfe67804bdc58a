"""Show what the node publishes on a web page, and let people change its parameters there."""

import math
import threading
import time
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseWithCovarianceStamped
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image, PointCloud2

from stream3r_ros.msg import StreamStatus
from stream3r_ros.node.declaration import declare
from stream3r_ros.node.decode import ImageError, decode_image
from stream3r_ros.node.endpoints import overridable
from stream3r_ros.node.heard import Pending, cloud_grids, depth_array, pose_matrix, stamp_ns
from stream3r_ros.node.log import Throttle
from stream3r_ros.node.process import STOP_GRACE_S, StartError
from stream3r_ros.node.programs import VIEWER
from stream3r_ros.node.remote import RemoteNode
from stream3r_ros.node.status import is_of_a_frame
from stream3r_ros.viewing import (
    Choice,
    LiveView,
    Meter,
    Slider,
    StreamNumbers,
    StreamPanel,
    ViewedFrame,
    ViewingError,
    ViewLimits,
    address,
    open_server,
)
from stream3r_ros.viewing.numbers import literal, stream_table

PENDING_FRAMES = 5
MAX_IMAGE_PIXELS = 33_177_600
NUMBERS_PERIOD_S = 0.25
SILENCE_S = 2.0
NUMBERS = tuple(StreamNumbers.__dataclass_fields__)

CONTROLS = (
    Choice(
        'mode', ('window', 'causal', 'full'), 'What a frame sees; a change restarts the stream'
    ),
    Slider('window_size', 1, 32, 1, 'Frames seen in window mode; a change begins a new stream'),
    Slider('min_confidence', 1.0, 10.0, 0.05, 'Points under this confidence are left out'),
    Slider('points.stride', 0, 16, 1, 'Every n-th row and column becomes a point; 0 chooses'),
)


class Viewer(Node):
    """Serve a page with the growing map, the present frame, numbers and controls.

    Subscriptions only store messages; a timer joins the newest frame whose cloud and pose are
    there and shows it, at most ``cloud_rate`` times a second, so frames between are left out.
    A new stream, or a node that was started anew, begins an empty map.
    """

    def __init__(self, stop: threading.Event) -> None:
        super().__init__('stream3r_viewer')
        self.exit_status = 0
        declare(self, VIEWER)
        self._server = self._open()
        print(f'viewer: {address(self._server)}', flush=True)
        self._throttle = Throttle()
        self._meter = Meter()
        self._stream: tuple[int, int] | None = None  # and its segment
        self._status_publishers: set[bytes] = set()
        self._numbers_due_s = 0.0
        self._statuses: list[StreamStatus] = []
        self._images, self._depths, self._infos, self._clouds, self._poses = (
            Pending(PENDING_FRAMES) for _ in range(5)
        )
        self._remote = RemoteNode(
            self, self._value('node'), [control.name for control in CONTROLS],
            self._on_values, self._on_sentence,
        )  # fmt: skip
        self._panel = StreamPanel(self._server, CONTROLS, self._remote.set, self._remote.reset)
        self._view = LiveView(self._server, self._limits())
        self._subscribe()
        # By the steady clock: /clock may stand still.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = self.create_timer(
            1 / self._value('cloud_rate'), self._on_timer, clock=steady
        )

    def stop(self, timeout_s: float) -> bool:
        """Do nothing: the server has to live as long as a callback may use it."""
        return True

    def destroy_node(self) -> None:
        """Close the page's connections, once the executor has ended."""
        closing = threading.Thread(target=self._server.stop, daemon=True)
        closing.start()
        closing.join(STOP_GRACE_S)
        super().destroy_node()

    # --- start ---

    def _value(self, name: str) -> Any:
        return self.get_parameter(name).value

    def _open(self):
        try:
            return open_server(self._value('host'), self._value('port'), 'STream3R')
        except ViewingError as error:
            raise StartError(str(error)) from error

    def _limits(self) -> ViewLimits:
        return ViewLimits(
            max_points=self._value('max_points'),
            max_cloud_points=self._value('max_cloud_points'),
            max_cameras=self._value('max_cameras'),
            map_period_s=1 / self._value('map_rate'),
        )

    def _subscribe(self) -> None:
        node = self._value('node')
        outputs = (
            (PoseWithCovarianceStamped, f'{node}/pose', self._poses.put, 10),
            (CameraInfo, f'{node}/depth/camera_info', self._infos.put, 10),
            (Image, f'{node}/depth/image', self._depths.put, 2),
            (PointCloud2, f'{node}/points', self._clouds.put, 2),
            (StreamStatus, f'{node}/status', self._on_status, 10),
        )
        for kind, topic, callback, depth in outputs:
            self._listen(kind, topic, callback, depth, ReliabilityPolicy.RELIABLE)
        self._listen(Image, 'image', self._images.put, 1, ReliabilityPolicy.BEST_EFFORT)

    def _listen(
        self, kind: type, topic: str, callback, depth: int, reliability: ReliabilityPolicy
    ) -> None:
        self.create_subscription(
            kind, topic, callback, QoSProfile(depth=depth, reliability=reliability),
            qos_overriding_options=overridable(),
        )  # fmt: skip

    # --- the stream ---

    def _on_status(self, status: StreamStatus) -> None:
        self._notice_restart()
        if (status.stream, status.segment) != self._stream:
            self._begin_stream(status)
        numbers = StreamNumbers(**{name: getattr(status, name) for name in NUMBERS})
        self._meter.add(time.monotonic(), numbers, is_of_a_frame(status))
        if not is_of_a_frame(status):
            return
        self._statuses = [*self._statuses, status][-PENDING_FRAMES:]

    def _notice_restart(self) -> None:
        """Begin anew when a publisher of statuses is new: so is its node, with its parameters.

        A node that was killed lingers for many seconds, so nobody says that it is gone.
        """
        infos = self.get_publishers_info_by_topic(f'{self._value("node")}/status')
        present = {bytes(info.endpoint_gid) for info in infos}
        if present - self._status_publishers:
            self._meter.clear()
            self._remote.forget()
            self._stream = None
        self._status_publishers = present

    def _begin_stream(self, status: StreamStatus) -> None:
        self._stream = status.stream, status.segment
        self._statuses = []
        self._view.clear()

    def _on_timer(self) -> None:
        self._remote.work()
        frame = self._newest_frame()
        if frame is not None:
            self._view.add(frame)
        now_s = time.monotonic()
        watched = self._view.refresh(now_s)
        if watched and frame is not None:
            self._panel.show_pictures(frame)
        if now_s >= self._numbers_due_s:
            self._numbers_due_s = now_s + NUMBERS_PERIOD_S
            self._notice_restart()
            self._panel.enable(self._remote.is_known)
            self._panel.show_numbers(self._numbers(now_s))

    def _newest_frame(self) -> ViewedFrame | None:
        """Join the newest frame whose cloud and pose have come, unless it was shown."""
        for status in reversed(self._statuses):
            stamp = stamp_ns(status)
            cloud, pose = self._clouds.get(stamp), self._poses.get(stamp)
            if cloud is not None and pose is not None:
                self._statuses = self._statuses[self._statuses.index(status) + 1 :]
                return self._frame(stamp, cloud, pose)
        return None

    def _frame(
        self, stamp: int, cloud: PointCloud2, pose: PoseWithCovarianceStamped
    ) -> ViewedFrame | None:
        depth, info, image = (p.get(stamp) for p in (self._depths, self._infos, self._images))
        try:
            points, colours, confidence = cloud_grids(cloud)
            return ViewedFrame(
                pose_matrix(pose.pose.pose),
                points,
                colours,
                confidence,
                image_rgb=None if image is None else decode_image(image, MAX_IMAGE_PIXELS),
                depth=None if depth is None else depth_array(depth),
                intrinsics=None if info is None else np.reshape(info.k, (3, 3)),
            )
        except (ImageError, ValueError, KeyError) as error:
            if self._throttle.allows(str(error)):
                self.get_logger().warning(f'a frame cannot be shown: {error}')
            return None

    # --- the page ---

    def _numbers(self, now_s: float) -> str:
        node = self._value('node')
        if self._meter.latest is None:
            there = 'is there, no frame came yet' if self._remote.is_known else 'is not there yet'
            return f'Waiting: **{node}** {there}.'
        text = stream_table(self._meter, now_s, self._view.point_count, self._view.voxel_size)
        return text + self._trouble(now_s)

    def _trouble(self, now_s: float) -> str:
        """Say what is wrong, and that nothing comes."""
        meter, sentences = self._meter, []
        silence_s, absence_s = meter.silence_s(now_s), meter.absence_s(now_s)
        if silence_s > SILENCE_S:
            since = f'for {silence_s:.0f} s' if math.isfinite(silence_s) else 'as yet'
            sentences.append(f'No frame {since}.')
        if absence_s > SILENCE_S:
            sentences.append(f'Nothing was heard of the node for {absence_s:.0f} s.')
        elif meter.latest is not None and meter.latest.reason:
            sentences.append(f'**{literal(meter.latest.reason)}**')
        return ''.join(f'\n\n{sentence}' for sentence in sentences)

    def _on_values(self, values: dict[str, Any]) -> None:
        self._panel.enable(self._remote.is_known)
        for name, value in values.items():
            self._panel.set_value(name, value)

    def _on_sentence(self, sentence: str) -> None:
        self._panel.say(sentence)
