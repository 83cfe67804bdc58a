"""A stream through the network, of one camera or of several that share a world."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from std_msgs.msg import Header

from stream3r_ros.network import Stream3R
from stream3r_ros.node.calibration import Intrinsics, KnownCamera
from stream3r_ros.node.demand import is_depth_wanted
from stream3r_ros.node.gate import Gate
from stream3r_ros.node.health import judge
from stream3r_ros.node.metric_scale import in_metres, in_units
from stream3r_ros.node.parameters import Settings
from stream3r_ros.node.scale_source import ScaleFrame
from stream3r_ros.node.status import StreamState, fill_accounts, frame_status, set_latencies
from stream3r_ros.node.world import World
from stream3r_ros.streaming import FrameEstimate, ImageStream, PreparedImage

if TYPE_CHECKING:
    from stream3r_ros.node.camera import Camera, ImageMessage
    from stream3r_ros.node.perception_node import PerceptionNode

NOTHING_KNOWN = KnownCamera('predicted')
FOREIGN_IN_A_ROW = 5
"""So many images of one other size and the camera has changed for good."""
SIZES, MOST_OF_SIZES = 10, 8
"""So many of the last ones, and it is the stream that began with the wrong size."""


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


class StreamFull(ValueError):
    """A causal stream takes no further image, whatever the image is like."""


class Track:
    """A stream and its world; the name is '' for the only one.

    Everything but requests for a new stream belongs to the inference thread.
    """

    def __init__(self, node: PerceptionNode, name: str, is_first: bool) -> None:
        self._node = node
        self._name = name
        self.world = World(node, name, is_first)
        self.number = 0
        self.gate = Gate[Job]()
        self._requests: list[str] = []  # reasons to begin a new stream with the next image
        self._gathering: list[Job] = []
        self._network: Stream3R | None = None
        self._stream: ImageStream | None = None

    # --- asked by other threads ---

    def is_wanted(self, settings: Settings) -> bool:
        """Tell whether somebody makes use of poses: a subscriber, or TF."""
        return settings.placement.tf_mode != 'none' or self.world.outputs.is_anyone_listening

    def request_restart(self) -> int:
        """Begin a new stream with the next image; give its number."""
        self._requests.append('~/reset was called')
        return self.number + 1

    def numbers(self) -> StreamState:
        """Give the numbers of the present stream."""
        stream = self._stream
        if stream is None:
            return StreamState(self.number, self._node.settings.stream.name)
        return StreamState(
            self.number, stream.options.name, stream.is_full, len(self._gathering),
            stream.cached_frames, stream.cache_bytes, self._device_memory(),
        )  # fmt: skip

    # --- the stream ---

    def begin(self, network: Stream3R, settings: Settings) -> None:
        """Begin the first stream after an activation."""
        self._network = network
        self._requests = []
        self.gate = Gate[Job]()
        self._begin(settings)

    def begin_anew(self, settings: Settings, reason: str) -> None:
        """Begin another stream, in a world of its own."""
        self._requests = []
        self._begin(settings)
        self._node.get_logger().info(f'{self._title} {self.number} begins: {reason}')

    def _begin(self, settings: Settings) -> None:
        self.drop_gathered()
        self._sizes: deque[tuple[int, int]] = deque(maxlen=SIZES)
        self._stream = ImageStream(self._network, settings.stream)
        self.number += 1
        self.world.begin()

    def _begin_world(self, reason: str) -> None:
        """Go on with the same stream in a world of its own: a new stream for whoever listens."""
        self.number += 1
        self.world.begin()
        self._node.get_logger().warning(f'{self._title} {self.number} begins: {reason}')

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
        if 0 < settings.input.max_stamp_gap_s < passed_s:
            return f'no image for {passed_s:.3f} s, more than max_stamp_gap'
        return None

    def check_room(self) -> None:
        """Raise StreamFull where a causal stream takes no further image."""
        if self._stream.is_full:
            raise StreamFull(
                f'the stream is full, max_frames is {self._stream.options.max_frames}'
            )

    def prepare(self, image: np.ndarray, settings: Settings) -> PreparedImage:
        """Fit an image to the network; raises ValueError.

        One image of another size is refused; a camera that stays with it begins a new stream.
        """
        size, stream_size = image.shape[:2], self._stream.camera_hw
        self._sizes.append(size)
        if stream_size in (None, size):
            return self._stream.prepare(image)
        in_a_row = list(self._sizes)[-FOREIGN_IN_A_ROW:] == [size] * FOREIGN_IN_A_ROW
        if in_a_row or self._sizes.count(size) >= MOST_OF_SIZES:
            was, now = (f'{width} x {height}' for height, width in (stream_size, size))
            self.begin_anew(settings, f'images are {now} now, instead of {was}')
        return self._stream.prepare(image)

    def step(
        self, job: Job, image: PreparedImage, settings: Settings
    ) -> list[tuple[Job, FrameEstimate]]:
        """Compute; give the images that are finished, oldest first.

        Until then an image counts as waiting. The filter's limits are in the unit that is
        published. Raises RuntimeError and MemoryError.
        """
        self._gathering.append(job)
        is_wanted = is_depth_wanted(job.camera, settings)
        with_depth = job.camera.demand.is_due(is_wanted, settings.depth_every)
        limits = in_units(settings.depth_filter, self.world.scale.factor)
        estimates = self._stream.step(image, limits, with_depth)
        if not estimates:
            return []
        if self._stream.new_world:
            self._begin_world(self._stream.new_world)
        jobs, self._gathering = self._gathering, []
        return list(zip(jobs, estimates, strict=True))

    def close_group(self, settings: Settings) -> None:
        """Look after a stream that cannot go on."""
        options = self._stream.options
        if options.mode == 'full' and not options.overlap and not self._gathering:
            # The next group has a world of its own.
            self.number += 1
            self.world.begin()
        elif self._stream.is_full:
            self._node.get_logger().warning(
                f'the causal stream is full after max_frames {settings.stream.max_frames}: '
                f'call ~/reset, raise max_frames or set mode to window'
            )

    def drop_gathered(self) -> None:
        """Give up a group that is not complete."""
        for job in self._gathering:
            job.camera.health.dropped()
        self._gathering = []

    def refuse_gathered(self, reason: str) -> None:
        """Count what failed in the network."""
        for job in self._gathering:
            job.camera.health.refused(reason)
        self._gathering = []

    # --- results ---

    def publish(self, job: Job, estimate: FrameEstimate, settings: Settings) -> list[str]:
        """Publish a frame in the order of ros.md; give sentences about what is missing."""
        begun = time.monotonic()
        camera, world = job.camera, self.world
        seen = camera.seen(job.known, estimate.mapping)
        if seen is not None and estimate.valid is not None:
            estimate = replace(estimate, valid=estimate.valid & seen)
        image = job.message.header
        frame = settings.placement.names.optical(image.frame_id)
        header = Header(stamp=image.stamp, frame_id=frame)
        view = job.known.intrinsics(estimate.mapping, estimate.intrinsics)
        camera.demand.note(estimate.mean_confidence)
        confidence = camera.demand.mean_confidence
        seen_frame = self._scale_frame(image, header, estimate, view, settings)
        scale = world.scale
        estimate = in_metres(estimate, scale.factor)
        leads = camera.number == 0 or camera.name == self._name
        placed, lost = world.place(header, estimate, settings)
        world.publish_place(header, placed, confidence, lost.lost, leads, settings)
        camera.outputs.publish(header, estimate, view, settings)
        world.publish_path()
        published = time.monotonic()
        camera.health.processed()
        status = frame_status(header, estimate, view, lost.lost, self.numbers(), scale)
        set_latencies(status, job, begun, published)
        camera.health.answered(status, '' if placed.pose is not None else placed.problem or '')
        what = camera.health.happened()
        fill_accounts(status, what, judge(what, camera.circumstances))
        camera.publish_status(status)
        for hint in filter(self._node.hints.allows, placed.hints):
            self._node.get_logger().warning(hint)
        problems = [placed.problem, job.known.problem]
        if not lost.lost:
            world.add_to_map(placed, estimate, view)
            problems.append(world.learn_scale(seen_frame, camera.heard_scale, settings))
        self._requests += ['lost for lost.reset_after'] if lost.reset else []
        self._requests += [placed.new_stream] if placed.new_stream else []
        return [problem for problem in problems if problem]

    def _scale_frame(
        self,
        image: Header,
        header: Header,
        estimate: FrameEstimate,
        view: Intrinsics,
        settings: Settings,
    ) -> ScaleFrame:
        base = settings.placement.names.base
        return ScaleFrame(
            image.stamp, image.frame_id, header.frame_id, base, estimate, view.network_matrix
        )

    def _device_memory(self) -> int:
        device = self._network.device
        return torch.cuda.memory_allocated(device) if device.type == 'cuda' else 0
