"""One world: a stream through the network, and the robot's way and map in it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from std_msgs.msg import Header

from stream3r_ros.geometry.cloud import point_grid
from stream3r_ros.geometry.depth_filter import DepthFilter
from stream3r_ros.msg import StreamStatus
from stream3r_ros.network import Stream3R
from stream3r_ros.node.calibration import Intrinsics, KnownCamera
from stream3r_ros.node.clouds import cloud_stride
from stream3r_ros.node.counters import Account
from stream3r_ros.node.lost import LostDetector
from stream3r_ros.node.map import MapPoints
from stream3r_ros.node.messages import pose_message
from stream3r_ros.node.odometry import Odometer, PathRecorder
from stream3r_ros.node.outputs import WorldOutputs
from stream3r_ros.node.parameters import Settings
from stream3r_ros.node.placement import Placed, Placement, PlacementRule
from stream3r_ros.streaming import FrameEstimate, ImageStream, PreparedImage

if TYPE_CHECKING:
    from stream3r_ros.node.camera import Camera, ImageMessage
    from stream3r_ros.node.perception_node import PerceptionNode

PATH_PERIOD_S = 1.0
NOTHING_KNOWN = KnownCamera('predicted')
MAP_BYTES_PER_FRAME = 400_000
"""Of one frame's points; a map of voxels needs no more of them."""


@dataclass
class Job:
    """One image on its way; times are monotonic seconds."""

    camera: Camera
    message: ImageMessage
    known: KnownCamera = NOTHING_KNOWN
    arrived: float = field(default_factory=time.monotonic)
    started: float = 0.0
    prepared: float = 0.0
    computed: float = 0.0

    @property
    def stamp_ns(self) -> int:
        """Give the image's stamp."""
        stamp = self.message.header.stamp
        return stamp.sec * 10**9 + stamp.nanosec


class Track:
    """A world of one camera or of several that share it; its name is '' for the only one.

    Everything but requests and the map belongs to the inference thread.
    """

    def __init__(self, node: PerceptionNode, name: str, is_first: bool) -> None:
        self._node = node
        self._name = name
        self._is_first = is_first
        settings = node.settings
        self.outputs = WorldOutputs(node, f'{name}/' if name else '')
        self._map = MapPoints(settings.map.voxel_size, settings.map.max_points)
        self._map_frame = ''
        self._map_shown = -1
        self._placement = Placement(node.frame_tree)
        self._odometer = Odometer()
        self._path = PathRecorder(settings.path_max_poses)
        self._path_published = -PATH_PERIOD_S
        self._lost = LostDetector()
        self.number = 0
        self._requests: list[str] = []  # reasons to begin a new stream with the next image
        self._gathering: list[Job] = []
        self._network: Stream3R | None = None
        self._stream: ImageStream | None = None

    def destroy(self) -> None:
        """Take the publishers down."""
        self.outputs.destroy()

    # --- asked by other threads ---

    def is_wanted(self, settings: Settings) -> bool:
        """Tell whether somebody makes use of poses: a subscriber, or TF."""
        return settings.placement.tf_mode != 'none' or self.outputs.is_anyone_listening

    def request_restart(self) -> int:
        """Begin a new stream with the next image; give its number."""
        self._requests.append('~/reset was called')
        return self.number + 1

    def save_map(self, folder: str) -> tuple[Path, Path]:
        """Write the map; raises as MapPoints.save does."""
        return self._map.save(Path(folder) / self._name)

    def publish_map(self) -> None:
        """Publish ~/map_points if it has changed and somebody listens."""
        changes = self._map.changes
        if changes == self._map_shown or not self._map_frame or not self.outputs.is_map_wanted:
            return
        stamp = self._node.get_clock().now().to_msg()
        self.outputs.publish_map(self._map.message(Header(stamp=stamp, frame_id=self._map_frame)))
        self._map_shown = changes

    # --- the stream ---

    def begin(self, network: Stream3R, settings: Settings) -> None:
        """Begin the first stream after an activation."""
        self._network = network
        self._requests = []
        self._begin(settings)

    def begin_anew(self, settings: Settings, reason: str) -> None:
        """Begin another stream, in a world of its own."""
        self._requests = []
        self._begin(settings)
        self._node.get_logger().info(f'{self._title} {self.number} begins: {reason}')

    def _begin(self, settings: Settings) -> None:
        self.drop_gathered()
        self._stream = ImageStream(self._network, settings.stream)
        self.number += 1
        for part in (self._placement, self._odometer, self._path, self._lost):
            part.begin()
        self._map.clear()

    @property
    def _title(self) -> str:
        return f'stream {self._name}' if self._name else 'stream'

    @property
    def cached_frames(self) -> int:
        """Frames that the next one can look back on."""
        return self._stream.cached_frames

    def reason_to_begin(self, job: Job, settings: Settings) -> str | None:
        """Say why a new stream begins with this image, if one does."""
        if self._requests:
            return self._requests[0]
        old, new = self._stream.options.describe(), settings.stream.describe()
        if old != new:
            return f'mode {old} became {new}'
        last = job.camera.last_stamp_ns
        if last is None:
            return None
        passed_s = (job.stamp_ns - last) / 1e9
        if passed_s < 0:
            self._node.frame_tree.forget_moving()
            return f'time went back by {-passed_s:.3f} s'
        if 0 < settings.input.max_stamp_gap_s < passed_s:
            return f'no image for {passed_s:.3f} s, more than max_stamp_gap'
        return None

    def check_room(self) -> None:
        """Raise ValueError where a causal stream takes no further image."""
        if self._stream.is_full:
            raise ValueError(
                f'the stream is full, max_frames is {self._stream.options.max_frames}'
            )

    def prepare(self, image: np.ndarray) -> PreparedImage:
        """Fit an image to the network; raises ValueError."""
        return self._stream.prepare(image)

    def step(
        self, job: Job, image: PreparedImage, depth_filter: DepthFilter
    ) -> list[tuple[Job, FrameEstimate]]:
        """Compute; give the images that are finished, oldest first.

        Until then an image counts as waiting. Raises RuntimeError and MemoryError.
        """
        self._gathering.append(job)
        estimates = self._stream.step(image, depth_filter)
        if not estimates:
            return []
        jobs, self._gathering = self._gathering, []
        return list(zip(jobs, estimates, strict=True))

    def close_group(self, settings: Settings) -> None:
        """Look after a stream that cannot go on."""
        if self._stream.options.mode == 'full' and not self._gathering:
            # The next group has a world of its own.
            self.number += 1
            for part in (self._placement, self._odometer, self._path, self._lost):
                part.begin()
            self._map.clear()
        elif self._stream.is_full:
            self._node.get_logger().warning(
                f'the causal stream is full after max_frames {settings.stream.max_frames}: '
                f'call ~/reset, raise max_frames or set mode to window'
            )

    def drop_gathered(self) -> None:
        """Give up a group that is not complete."""
        for job in self._gathering:
            job.camera.counters.count(dropped=1)
        self._gathering = []

    def refuse_gathered(self) -> None:
        """Count what failed in the network."""
        for job in self._gathering:
            job.camera.counters.count(refused=1)
        self._gathering = []

    # --- results ---

    def publish(self, job: Job, estimate: FrameEstimate, settings: Settings) -> list[str]:
        """Publish a frame in the order of ros.md; give sentences about what is missing."""
        camera = job.camera
        begun = time.monotonic()
        seen = camera.seen(job.known, estimate.mapping)
        if seen is not None:
            estimate = replace(estimate, valid=estimate.valid & seen)
        names = settings.placement.names
        image = job.message.header
        header = Header(stamp=image.stamp, frame_id=names.optical(image.frame_id))
        view = job.known.intrinsics(estimate.mapping, estimate.intrinsics)
        confidence = float(estimate.confidence.mean())
        lost = self._lost.update(
            settings.lost, job.stamp_ns, confidence, estimate.world_from_camera
        )
        placed = self._placed(header, estimate, settings)
        self._publish_place(camera, header, placed, confidence, lost.lost, settings)
        camera.outputs.publish(header, estimate, view, settings)
        self._publish_path()
        published = time.monotonic()
        camera.counters.count(processed=1)
        state = self._state(estimate, lost.lost)
        camera.health.state, camera.health.stream = state, self.number
        camera.health.mode, camera.health.mean_confidence = settings.stream.mode, confidence
        camera.health.latency_s = published - job.arrived
        status = self._status(header, state, estimate, view, settings, camera.counters.snapshot())
        set_latencies(status, job, begun, published)
        camera.outputs.publish_status(status)
        if not lost.lost:
            self._add_to_map(placed, estimate, view)
        if lost.reset:
            self._requests.append('lost for lost.reset_after')
        if placed.new_stream:
            self._requests.append(placed.new_stream)
        return [problem for problem in (placed.problem, job.known.problem) if problem]

    def _placed(self, header: Header, estimate: FrameEstimate, settings: Settings) -> Placed:
        return self._placement.place(
            header.stamp,
            header.frame_id,
            estimate.world_from_camera,
            self._rule(settings.placement),
        )

    def _rule(self, rule: PlacementRule) -> PlacementRule:
        """Adapt the parameters to a world beside the first one: with a world frame of its own.

        A frame has one parent, so that only the first world moves the base.
        """
        if self._is_first:
            return rule
        names = replace(rule.names, odom=f'{self._name}/{rule.names.odom}')
        mode = 'world_to_camera' if rule.tf_mode == 'world_to_camera' else 'none'
        return replace(rule, names=names, tf_mode=mode)

    def _publish_place(
        self,
        camera: Camera,
        header: Header,
        placed: Placed,
        confidence: float,
        is_lost: bool,
        settings: Settings,
    ) -> None:
        leads = camera.number == 0 or camera.name == self._name  # of the cameras of this world
        if not is_lost and (leads or placed.child_is_optical):
            self.outputs.send_transforms(list(placed.transforms))
        if not leads:
            return
        odometry = self._odometer.message(
            header.stamp, placed, confidence,
            two_d_mode=settings.placement.two_d_mode, lost=is_lost,
        )  # fmt: skip
        if odometry is None:
            return
        self.outputs.publish_odometry(odometry)
        if placed.world_from_optical is not None:
            self.outputs.publish_pose(
                pose_message(odometry.header, placed.world_from_optical, odometry.pose.covariance)
            )
        if not is_lost:
            self._path.add(odometry)

    def _publish_path(self) -> None:
        """Publish the path once a second: a long one takes milliseconds."""
        now = time.monotonic()
        if now - self._path_published < PATH_PERIOD_S or not self.outputs.is_path_wanted:
            return
        if (path := self._path.message()) is not None:
            self._path_published = now
            self.outputs.publish_path(path)

    def _add_to_map(self, placed: Placed, estimate: FrameEstimate, view: Intrinsics) -> None:
        if placed.world_from_optical is None:
            return
        stride = cloud_stride(estimate.depth.shape, 0, 'xyzrgbc', MAP_BYTES_PER_FRAME)
        depth = np.where(estimate.valid, estimate.depth, np.float32(np.nan))
        if placed.world_frame != self._map_frame:
            self._map.clear()
            self._map_frame = placed.world_frame
        self._map.add(
            point_grid(depth, view.network_matrix, stride),
            estimate.image_rgb[::stride, ::stride],
            estimate.confidence[::stride, ::stride],
            placed.world_from_optical,
        )

    def _state(self, estimate: FrameEstimate, is_lost: bool) -> str:
        if is_lost:
            return StreamStatus.STATE_LOST
        if not np.isfinite(estimate.world_from_camera).all():
            return StreamStatus.STATE_ERROR
        return StreamStatus.STATE_FULL if self._stream.is_full else StreamStatus.STATE_STREAMING

    def _status(
        self,
        header: Header,
        state: str,
        estimate: FrameEstimate,
        view: Intrinsics,
        settings: Settings,
        account: Account,
    ) -> StreamStatus:
        return StreamStatus(
            header=header,
            state=state,
            mode=settings.stream.mode,
            stream=self.number,
            received=account.received,
            processed=account.processed,
            dropped=account.dropped,
            refused=account.refused,
            cached_frames=self._stream.cached_frames,
            cache_bytes=self._stream.cache_bytes,
            device_memory_bytes=self._device_memory(),
            mean_confidence=float(estimate.confidence.mean()),
            valid_fraction=float(estimate.valid.mean()),
            intrinsics_source=view.source,
            scale=1.0,
            scale_sigma=float('nan'),
            scale_source='none',
            scale_state='unknown',
        )

    def _device_memory(self) -> int:
        device = self._network.device
        return torch.cuda.memory_allocated(device) if device.type == 'cuda' else 0


def set_latencies(status: StreamStatus, job: Job, begun: float, published: float) -> None:
    """Fill in the seconds that a frame took, step by step."""
    status.latency_queue = job.started - job.arrived
    status.latency_decode = job.prepared - job.started
    status.latency_network = job.computed - job.prepared
    status.latency_publish = published - begun
    status.latency_total = published - job.arrived
