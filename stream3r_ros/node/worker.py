"""The inference thread: from a waiting image message to published results, and the accounts."""

import threading
import time
from collections.abc import Callable, Sequence

import torch
from rclpy.impl.rcutils_logger import RcutilsLogger

from stream3r_ros.network import Stream3R
from stream3r_ros.node.camera import Camera, ImageMessage
from stream3r_ros.node.decode import decode_compressed, decode_image
from stream3r_ros.node.gate import HELD_S, Passed, Refused
from stream3r_ros.node.log import Throttle
from stream3r_ros.node.mailbox import Mailbox, SynchronisedMailbox
from stream3r_ros.node.parameters import Settings
from stream3r_ros.node.track import Job, StreamFull, Track
from stream3r_ros.streaming import PreparedImage


class Worker:
    """Take images from the mailbox, one at a time, through their stream and out.

    All state of the streams belongs to this thread; a reset only leaves a request.
    """

    def __init__(
        self,
        network: Stream3R,
        cameras: list[Camera],
        settings: Callable[[], Settings],
        logger: RcutilsLogger,
        on_failure: Callable[[], None],
    ) -> None:
        self._cameras = cameras
        self._settings = settings
        self._log = logger
        self._throttle = Throttle()
        self._rare = Throttle(period_s=60.0)  # for what lasts, such as a frame that TF lacks
        self._on_failure = on_failure
        self._device = network.device
        first = settings()
        self._mailbox = self._make_mailbox(first)
        for track in self._tracks:
            track.begin(network, first)
        self._thread = threading.Thread(target=self._run, name='inference', daemon=True)

    @property
    def _tracks(self) -> list[Track]:
        return list(dict.fromkeys(camera.track for camera in self._cameras))

    def _make_mailbox(self, settings: Settings) -> Mailbox[Job]:
        capacity, count = settings.input.capacity, len(self._cameras)
        if settings.camera_streams == 'shared' and count > 1:
            tolerance_ns = round(settings.input.sync_tolerance_s * 1e9)
            return SynchronisedMailbox(
                capacity, self._count_dropped, count, lambda job: job.stamp_ns, tolerance_ns
            )
        return Mailbox(capacity, self._count_dropped, count)

    def _count_dropped(self, camera: int, count: int) -> None:
        self._cameras[camera].health.dropped(count)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self, timeout_s: float | None = None) -> bool:
        """Finish the frame in progress and end; what waits is dropped. Tell whether it ended."""
        self._mailbox.close()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        if self._thread.is_alive():
            return False
        self._mailbox.clear()
        for track in self._tracks:
            track.drop_gathered()
            for held in track.gate.release():
                for job in held.jobs:
                    job.camera.health.dropped()
        return True

    def offer(self, camera: Camera, message: ImageMessage) -> None:
        """Take an image in; called by the subscription, so it only stores."""
        self._mailbox.put(Job(camera, message), camera.number)

    def _run(self) -> None:
        try:
            while not self._mailbox.is_closed:
                jobs = self._mailbox.take(self._patience_s)
                settings = self._settings()
                if jobs:
                    self._admit(jobs, settings)
                for track in self._tracks:
                    self._pass(track.gate.release_overdue(), settings)
        except BaseException as error:
            self._log.fatal(f'the inference thread ended: {type(error).__name__}: {error}')
            self._on_failure()
            raise  # threading prints the traceback: this is a defect

    @property
    def _patience_s(self) -> float | None:
        """Wait for ever, but for the answer to an image whose time is doubtful."""
        is_holding = any(track.gate.is_holding for track in self._tracks)
        return HELD_S / 4 if is_holding else None

    def _admit(self, jobs: list[Job], settings: Settings) -> None:
        """Handle what the stamps of a set of images decide."""
        try:
            for job in jobs:
                check_stamp(job)
        except ValueError as error:
            self._refuse(jobs, str(error))
            return
        gate = jobs[0].camera.track.gate
        self._pass(gate.put(jobs, settings.input.late_tolerance_s), settings)

    def _pass(self, decided: Sequence[Passed | Refused], settings: Settings) -> None:
        for each in decided:
            if isinstance(each, Refused):
                self._refuse(each.jobs, each.sentence)
                continue
            if each.turn:
                self._turn(each.jobs[0].camera.track, each.turn, settings)
            for job in each.jobs:
                self._handle(job, settings)

    def _turn(self, track: Track, reason: str, settings: Settings) -> None:
        """Begin anew where time went back: for the cameras of this stream and no others."""
        track.begin_anew(settings, reason)
        for camera in self._cameras:
            if camera.track is track:
                camera.last_stamp_ns = None

    def _refuse(self, jobs: list[Job], reason: str) -> None:
        for job in jobs:
            job.camera.health.refused(reason)
        self._warn(f'image refused: {reason}')

    def _handle(self, job: Job, settings: Settings) -> None:
        job.started = time.monotonic()
        track, camera = job.camera.track, job.camera
        try:
            check_order(job)
            reason = track.reason_to_begin(job, settings)
            if reason:
                track.begin_anew(settings, reason)
            track.check_room()
            image = self._prepare(job, settings)
        except StreamFull as error:
            camera.health.turned_away(str(error))
            self._warn(f'image refused: {error}')
            return
        except ValueError as error:
            self._refuse([job], str(error))
            return
        job.prepared = time.monotonic()
        camera.last_stamp_ns = job.stamp_ns
        self._compute(job, image, settings)

    def _prepare(self, job: Job, settings: Settings) -> PreparedImage:
        """Decode, rectify and fit; raises ValueError."""
        limit = settings.input.max_pixels
        if settings.input.transport == 'compressed':
            image = decode_compressed(job.message, limit, settings.input.bits)
        else:
            image = decode_image(job.message, limit, settings.input.bits)
        hint = job.camera.sample_range.look(job.message, image, settings.input.bits)
        if hint:
            self._log.warning(f'{job.camera.name or "image"}: {hint}')
        job.known = job.camera.calibration.for_image(
            image.shape[:2], settings.input.intrinsics, settings.input.rectified
        )
        track = job.camera.track
        if job.camera.has_other_lens(job.known):
            track.begin_anew(settings, 'camera_info now straightens the images otherwise')
        return track.prepare(job.known.rectify(image), settings)

    def _compute(self, job: Job, image: PreparedImage, settings: Settings) -> None:
        track, health = job.camera.track, job.camera.health
        health.started()
        try:
            finished = track.step(job, image, settings)
        except (RuntimeError, MemoryError) as error:
            self._fail(job, error, settings)
            return
        finally:
            health.ended()
        health.went_well()
        computed = time.monotonic()
        for done, estimate in finished:
            done.computed = computed
            for problem in track.publish(done, estimate, settings):
                if self._rare.allows(problem):
                    self._log.warning(problem)
        track.close_group(settings)

    def _fail(self, job: Job, error: RuntimeError | MemoryError, settings: Settings) -> None:
        """Refuse what was being computed; without memory the stream ends, and not the node."""
        track, failure = job.camera.track, f'frame failed: {error}'
        track.refuse_gathered(failure)
        job.camera.health.failed(failure, is_out_of_memory(error))
        self._warn(failure)
        if is_out_of_memory(error):
            track.begin_anew(settings, f'out of memory with {track.cached_frames} frames')
            if self._device.type == 'cuda':
                torch.cuda.empty_cache()

    def _warn(self, sentence: str) -> None:
        if self._throttle.allows(sentence):
            self._log.warning(sentence)


def check_stamp(job: Job) -> None:
    """Raise ValueError for a stamp that is none."""
    stamp = job.message.header.stamp
    if stamp.sec < 0 or stamp.nanosec >= 10**9:
        raise ValueError(f'its stamp is {stamp.sec} s and {stamp.nanosec} ns')


def check_order(job: Job) -> None:
    """Raise ValueError for an image of a set that is no newer than the camera's last one."""
    last = job.camera.last_stamp_ns
    if last is not None and job.stamp_ns <= last:
        raise ValueError(f'it is late: {(last - job.stamp_ns) / 1e9:.3f} s older than the last')


def is_out_of_memory(error: RuntimeError | MemoryError) -> bool:
    """Tell whether memory was missing; torch's CPU allocator has no class of its own for it."""
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or (
        'DefaultCPUAllocator' in str(error)
    )
