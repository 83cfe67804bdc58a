"""The inference thread: from a waiting image message to published results, and the accounts."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from rclpy.impl.rcutils_logger import RcutilsLogger
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from stream3r_ros.msg import StreamStatus
from stream3r_ros.network import Stream3R
from stream3r_ros.node.decode import decode_compressed, decode_image
from stream3r_ros.node.log import Throttle
from stream3r_ros.node.mailbox import Mailbox
from stream3r_ros.node.outputs import FrameReport, Outputs
from stream3r_ros.node.parameters import Settings
from stream3r_ros.streaming import FrameEstimate, ImageStream


@dataclass
class Job:
    """One image on its way; times are monotonic seconds."""

    message: Image | CompressedImage
    camera_info: CameraInfo | None
    arrived: float
    started: float = 0.0
    prepared: float = 0.0


@dataclass
class Counters:
    """received = processed + dropped + refused + waiting, at every instant under the lock."""

    received: int = 0
    processed: int = 0
    dropped: int = 0
    refused: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, **changes: int) -> None:
        """Add to several counters at once."""
        with self.lock:
            for name, change in changes.items():
                setattr(self, name, getattr(self, name) + change)

    def snapshot(self) -> dict[str, int]:
        """Read all counters at one instant."""
        with self.lock:
            return {
                name: getattr(self, name)
                for name in ('received', 'processed', 'dropped', 'refused')
            }


class Worker:
    """Take images from the mailbox, one at a time, through the stream and out.

    All of the stream's state belongs to this thread; ``restart`` only leaves a request.
    """

    def __init__(
        self,
        network: Stream3R,
        outputs: Outputs,
        settings: Callable[[], Settings],
        counters: Counters,
        logger: RcutilsLogger,
        on_failure: Callable[[], None],
    ) -> None:
        self._network = network
        self._outputs = outputs
        self._settings = settings
        self._counters = counters
        self._log = logger
        self._throttle = Throttle()
        self._on_failure = on_failure
        first = settings()
        keep_all = first.drop_policy == 'keep_all'
        self.mailbox: Mailbox[Job] = Mailbox(first.queue_limit if keep_all else 1)
        self.stream_number = 1
        self._restart_requested = threading.Event()
        self._stream = ImageStream(network, first.stream)
        self._gathering: list[Job] = []
        self._last_stamp_ns = -1
        self._thread = threading.Thread(target=self._run, name='inference', daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self, timeout_s: float | None = None) -> bool:
        """Finish the frame in progress and end; what waits is dropped. Tell whether it ended."""
        self.mailbox.close()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        if self._thread.is_alive():
            return False
        self._counters.count(dropped=self.mailbox.clear() + len(self._gathering))
        self._gathering = []
        return True

    def offer(self, job: Job) -> None:
        """Take an image in; called by the subscription, so it only counts and stores."""
        self._counters.count(received=1)  # first: the worker may be done with it right away
        self._counters.count(dropped=self.mailbox.put(job))

    def restart(self) -> int:
        """Begin a new stream with the next image; return its number."""
        self._restart_requested.set()
        return self.stream_number + 1

    def _run(self) -> None:
        try:
            while (job := self.mailbox.take()) is not None:
                self._handle(job, self._settings())
        except BaseException as error:
            self._log.fatal(f'the inference thread ended: {type(error).__name__}: {error}')
            self._on_failure()
            raise  # threading prints the traceback: this is a defect

    def _handle(self, job: Job, settings: Settings) -> None:
        job.started = time.monotonic()
        self._restart_if_needed(job, settings)
        if self._stream.is_full:
            self._refuse_full()
            return
        try:
            image = self._stream.prepare(self._decode(job, settings))
        except ValueError as error:
            self._counters.count(refused=1)
            self._warn(f'image refused: {error}')
            return
        job.prepared = time.monotonic()
        # A job stays with the gathering until it is published, so it counts as waiting.
        self._gathering.append(job)
        try:
            estimates = self._stream.step(image)
        except RuntimeError as error:  # such as too little memory; the stream is as it was
            self._counters.count(refused=len(self._gathering))
            self._gathering = []
            self._warn(f'frame failed: {error}')
            return
        computed = time.monotonic()
        if not estimates:
            return
        jobs, self._gathering = self._gathering, []
        for done, estimate in zip(jobs, estimates, strict=True):
            self._publish(done, estimate, computed, settings)
        if settings.stream.mode == 'full':
            self.stream_number += 1  # the next group has a world of its own
        elif self._stream.is_full:
            self._log.warning(
                f'the causal stream is full after max_frames {settings.stream.max_frames}: '
                f'call ~/reset, raise max_frames or set mode to window'
            )

    def _decode(self, job: Job, settings: Settings):
        if settings.image_transport == 'compressed':
            return decode_compressed(job.message, settings.max_image_pixels)
        return decode_image(job.message, settings.max_image_pixels)

    def _restart_if_needed(self, job: Job, settings: Settings) -> None:
        stamp = job.message.header.stamp
        stamp_ns = stamp.sec * 10**9 + stamp.nanosec
        reason = None
        if self._restart_requested.is_set():
            self._restart_requested.clear()
            reason = '~/reset was called'
        elif (old := self._stream.options.describe()) != (new := settings.stream.describe()):
            reason = f'mode {old} became {new}'
        elif stamp_ns < self._last_stamp_ns:
            reason = f'time went back by {(self._last_stamp_ns - stamp_ns) / 1e9:.3f} s'
        self._last_stamp_ns = stamp_ns
        if reason:
            self._begin_stream(settings, reason)

    def _begin_stream(self, settings: Settings, reason: str) -> None:
        self._counters.count(dropped=len(self._gathering))
        self._gathering = []
        self._stream = ImageStream(self._network, settings.stream)
        self.stream_number += 1
        self._log.info(f'stream {self.stream_number} begins: {reason}')

    def _refuse_full(self) -> None:
        self._counters.count(refused=1)
        self._warn(
            f'image refused: the stream is full, max_frames is {self._stream.options.max_frames}'
        )

    def _warn(self, sentence: str) -> None:
        if self._throttle.allows(sentence):
            self._log.warning(sentence)

    def _publish(
        self, job: Job, estimate: FrameEstimate, computed: float, settings: Settings
    ) -> None:
        header = job.message.header
        begun = time.monotonic()
        report = self._outputs.publish_frame(header, estimate, job.camera_info, settings)
        published = time.monotonic()
        if not report.pose_is_finite:
            self._warn(
                'the network gave a pose that is not finite: no TF and no pose for this frame'
            )
        self._counters.count(processed=1)
        status = self._status(header, report, settings)
        status.latency_queue = job.started - job.arrived
        status.latency_decode = job.prepared - job.started
        status.latency_network = computed - job.prepared
        status.latency_publish = published - begun
        status.latency_total = published - job.arrived
        self._outputs.publish_status(status)

    def _status(self, header: Header, report: FrameReport, settings: Settings) -> StreamStatus:
        return StreamStatus(
            header=header,
            state=self._state(report),
            mode=settings.stream.mode,
            stream=self.stream_number,
            cached_frames=self._stream.cached_frames,
            cache_bytes=self._stream.cache_bytes,
            device_memory_bytes=self._device_memory(),
            mean_confidence=report.mean_confidence,
            valid_fraction=report.valid_fraction,
            intrinsics_source=report.intrinsics_source,
            scale=1.0,
            scale_sigma=float('nan'),
            scale_source='none',
            scale_state='unknown',
            **self._counters.snapshot(),
        )

    def _state(self, report: FrameReport) -> str:
        if not report.pose_is_finite:
            return StreamStatus.STATE_ERROR
        return StreamStatus.STATE_FULL if self._stream.is_full else StreamStatus.STATE_STREAMING

    def _device_memory(self) -> int:
        device = self._network.device
        return torch.cuda.memory_allocated(device) if device.type == 'cuda' else 0
