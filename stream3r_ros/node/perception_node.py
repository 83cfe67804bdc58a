"""The node ``stream3r``: images in, depth, clouds and poses out; a lifecycle node."""

import math
import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup, ReentrantCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from rclpy.lifecycle.node import LifecycleNodeMixin
from rclpy.node import Node
from std_srvs.srv import SetBool, Trigger

from stream3r_ros.export.files import check_folder
from stream3r_ros.network import Stream3R, load_network, set_camera_iterations
from stream3r_ros.network.checkpoint import resolve_device
from stream3r_ros.network.compiler import check_compiler
from stream3r_ros.node import diagnostics, parameters
from stream3r_ros.node.camera import Camera
from stream3r_ros.node.frames import listen
from stream3r_ros.node.health import Circumstances, Verdict, judge
from stream3r_ros.node.log import Once, forward_library_log
from stream3r_ros.node.sim_clock import SimClock
from stream3r_ros.node.status import PERIOD_S, waiting_status
from stream3r_ros.node.track import Track
from stream3r_ros.node.worker import Worker
from stream3r_ros.streaming import ImageStream, StreamOptions

ATTENTION_S = 0.1
"""Seconds between two looks for subscribers."""
HEALTH_S = 0.25
"""Seconds between two looks at how the cameras are doing."""


class PerceptionNode(LifecycleNodeMixin, Node):
    """Convert, run, publish; configure loads the network, activate begins a stream.

    Transitions have a callback group of their own: while one loads the network, the executor's
    other thread goes on answering everything else.
    """

    def __init__(self, stop: threading.Event) -> None:
        Node.__init__(self, 'stream3r')
        self._transitions = ReentrantCallbackGroup()
        LifecycleNodeMixin.__init__(self, callback_group=self._transitions)
        self._stop = stop
        self.exit_status = 0
        forward_library_log(self.get_logger())
        self.hints = Once()  # said once a run, however many streams there are
        self._network: Stream3R | None = None
        self._failure = ''  # of the last transition
        self._beginning = threading.Lock()  # of a transition: none begins once the node stops
        self._transitions_running = 0
        # What looks after things must go on while /clock stands still.
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        parameters.declare(self, self._stream_problem)
        self.settings = parameters.settings(self)
        self.frame_tree, self._tf_listener = listen(self)
        self.add_post_set_parameters_callback(self._on_parameters_set)
        self._cameras: list[Camera] = []
        self._tracks: list[Track] = []
        self._worker: Worker | None = None
        # Held by callbacks while they use publishers, and while a transition takes those down.
        self._outputs_in_use = threading.Lock()
        self._is_enabled = True
        self._make_services()
        self._autostart_timer = None
        if self.settings.autostart:
            self._autostart_timer = self.create_timer(
                0.0, self._autostart, callback_group=self._transitions, clock=self._steady
            )

    def _make_services(self) -> None:
        self.create_service(Trigger, '~/reset', self._on_reset)
        self.create_service(SetBool, '~/enable', self._on_enable)
        # A large map takes seconds to write.
        slow = MutuallyExclusiveCallbackGroup()
        self.create_service(Trigger, '~/save_map', self._on_save_map, callback_group=slow)
        self._diagnostics = self.create_publisher(DiagnosticArray, diagnostics.TOPIC, 10)
        self._diagnosed = -math.inf
        self._sim_clock = SimClock(self.get_clock())
        self.create_timer(HEALTH_S, self._look_after_cameras, clock=self._steady)
        self.create_timer(ATTENTION_S, self._attend, clock=self._steady)
        self._map_published = time.monotonic()
        self.create_timer(0.1, self._publish_maps, callback_group=slow, clock=self._steady)

    def stop(self, timeout_s: float) -> bool:
        """End the inference thread; tell whether it ended in time, and no transition runs.

        One that loads a network may take minutes, and would meet a node that is gone.
        """
        with self._beginning:
            if self._transitions_running:
                return False
        return self._worker is None or self._worker.stop(timeout_s)

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the network and make the publishers."""
        return self._attempt('configure', self._configure)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Begin a stream and subscribe."""
        super().on_activate(state)
        return self._attempt('activate', self._activate)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop listening and end the stream; the network stays loaded."""
        self._deactivate()
        super().on_deactivate(state)
        return TransitionCallbackReturn.SUCCESS

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free the network and the publishers."""
        self._deactivate()
        self._cleanup()
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free everything."""
        return self.on_cleanup(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free everything; the node can be configured again."""
        return self.on_cleanup(state)

    def _attempt(self, transition: str, action) -> TransitionCallbackReturn:
        """Turn the core's errors into one log line and a failed transition; only here."""
        self._failure = ''
        try:
            with self._transition() as may_begin:
                if not may_begin:
                    return TransitionCallbackReturn.FAILURE
                action()
        except (ValueError, RuntimeError, OSError, MemoryError) as error:
            self._failure = f'{transition} failed: {error}'
            self.get_logger().error(self._failure)
            return TransitionCallbackReturn.FAILURE
        except Exception as error:
            # rclpy would swallow it.
            self.get_logger().fatal(f'{transition}: {type(error).__name__}: {error}')
            raise
        return TransitionCallbackReturn.SUCCESS

    @contextmanager
    def _transition(self) -> Iterator[bool]:
        """Count a transition as running; tell whether it may begin, which a stop forbids."""
        with self._beginning:
            self._transitions_running += 1
            may_begin = not self._stop.is_set()
        try:
            yield may_begin
        finally:
            with self._beginning:
                self._transitions_running -= 1

    def _autostart(self) -> None:
        self._autostart_timer.cancel()
        with self._transition():
            has_started = (
                self.trigger_configure() == TransitionCallbackReturn.SUCCESS
                and self.trigger_activate() == TransitionCallbackReturn.SUCCESS
            )
        if not has_started and not self._stop.is_set():
            self._end_with_failure()

    def _configure(self) -> None:
        if self.settings.map.folder:
            check_folder(Path(os.path.expanduser(self.settings.map.folder)))
        source = self.settings.network
        self.get_logger().info(f'loading the network from {source.source}')
        begun = time.monotonic()
        if source.threads:
            torch.set_num_threads(source.threads)
        if source.compile:
            check_compiler(resolve_device(source.device))
        network = load_network(
            source.source,
            device=source.device,
            dtype=source.dtype,
            quantise=source.quantise,
            attention=source.attention,
            revision=source.revision or None,
        )
        if source.camera_iterations:
            set_camera_iterations(network, source.camera_iterations)
        ImageStream(network, self.settings.stream)  # raises for options that do not fit it
        self.get_logger().info(f'network ready after {time.monotonic() - begun:.1f} s')
        self._network = network
        self._make_cameras()

    def _make_cameras(self) -> None:
        """Make the publishers: of each camera, and of each world, which cameras may share."""
        names = self.settings.cameras
        is_shared = self.settings.camera_streams == 'shared'
        worlds = ('',) if is_shared else names
        self._tracks = [
            Track(self, name, is_first=index == 0) for index, name in enumerate(worlds)
        ]
        self._cameras = [
            Camera(self, name, index, self._tracks[0 if is_shared else index])
            for index, name in enumerate(names)
        ]

    def _activate(self) -> None:
        self._worker = Worker(
            self._network, self._cameras, lambda: self.settings, self.get_logger(),
            self._end_with_failure,
        )  # fmt: skip
        self._worker.start()
        for camera in self._cameras:
            camera.listen(self._offer)

    def _offer(self, camera: Camera, message) -> None:
        """Pass an image on; nobody is asked to work for outputs that nobody wants."""
        camera.health.received()
        worker = self._worker  # a transition may end it while this callback runs
        if worker is not None and self._is_enabled and self._is_wanted(camera):
            worker.offer(camera, message)
        else:
            camera.health.dropped()

    def _is_wanted(self, camera: Camera) -> bool:
        if not self.settings.lazy:
            return True
        with self._outputs_in_use:
            partners = [other for other in self._cameras if other.track is camera.track]
            return camera.track.is_wanted(self.settings) or any(
                partner.is_wanted for partner in partners
            )

    def _attend(self) -> None:
        """Leave the images of cameras alone of which nobody wants anything."""
        for camera in self._cameras:
            camera.attend(self._is_wanted(camera))

    def _deactivate(self) -> None:
        for camera in self._cameras:
            camera.ignore()
        if self._worker is not None:
            self._worker.stop()
            self._worker = None

    def _cleanup(self) -> None:
        owners = (*self._cameras, *(track.world for track in self._tracks))
        self._cameras, self._tracks, self._network = [], [], None
        with self._outputs_in_use:
            for owner in owners:
                owner.outputs.destroy()

    def _end_with_failure(self) -> None:
        self.exit_status = 1
        self._stop.set()

    def _on_parameters_set(self, _) -> None:
        self.settings = parameters.settings(self)

    def _stream_problem(self, options: StreamOptions) -> str | None:
        """Say why the network that is loaded cannot follow a stream, if one is and it cannot."""
        try:
            if self._network is not None:
                ImageStream(self._network, options)
        except ValueError as error:
            return str(error)
        return None

    def _on_reset(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        if self._worker is None:
            response.message = 'the node is not active, there is no stream to reset'
            return response
        numbers = [track.request_restart() for track in self._tracks]
        response.success = True
        response.message = f'the next image begins stream {", ".join(map(str, numbers))}'
        return response

    def _on_enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        self._is_enabled = request.data
        response.success = True
        response.message = (
            'images are processed' if request.data else 'images are counted as dropped'
        )
        return response

    def _on_save_map(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        if not self._tracks:
            response.message = 'the node is not configured, there is no map'
            return response
        try:
            saved = [track.world.save_map(self.settings.map.folder) for track in self._tracks]
        except (ValueError, OSError) as error:
            response.message = str(error)
            return response
        response.success = True
        response.message = 'wrote ' + ', '.join(str(path) for paths in saved for path in paths)
        return response

    def _publish_maps(self) -> None:
        if time.monotonic() - self._map_published < self.settings.map.period_s:
            return
        self._map_published = time.monotonic()
        with self._outputs_in_use:
            for track in self._tracks:
                track.world.publish_map()

    def _look_after_cameras(self) -> None:
        """Judge every camera; say at once what has changed, and the rest once a second."""
        has_changed = False
        for camera in self._cameras:
            before = camera.verdict
            camera.circumstances = self._circumstances(camera)
            camera.verdict = judge(camera.health.happened(), camera.circumstances)
            has_changed |= self._note_change(camera, before)
            if camera.circumstances.is_active and camera.since_status_s >= PERIOD_S:
                self._publish_waiting_status(camera)
        passed_s = time.monotonic() - self._diagnosed
        if has_changed or passed_s >= diagnostics.PERIOD_S - HEALTH_S / 2:
            self._diagnosed = time.monotonic()
            self._publish_diagnostics()

    def _note_change(self, camera: Camera, before: Verdict | None) -> bool:
        """Log a trouble that is new, and that all is well again; tell whether the level is new."""
        now, title = camera.verdict, f'{camera.name}: ' if camera.name else ''
        is_new = before is None or before.level != now.level
        # Numbers change all the time; another reason is another sentence without them.
        if not is_new and re.sub(r'\d', '', before.sentence) == re.sub(r'\d', '', now.sentence):
            return False
        if now.level in ('stale', 'warn', 'error') and not now.is_told:
            self.get_logger().warning(f'{title}{now.sentence}')
        elif now.level == 'ok' and before is not None and before.level != 'ok':
            self.get_logger().info(f'{title}well again: {now.sentence}')
        return is_new

    def _circumstances(self, camera: Camera) -> Circumstances:
        settings, worker = self.settings, self._worker
        if worker is None:
            return Circumstances(is_active=False, node_problem=self._failure)
        stream = camera.track.numbers()
        return Circumstances(
            is_enabled=self._is_enabled,
            node_problem=self._sim_clock.problem(settings.input.stale_after_s),
            listening=camera.listening(settings.input.stale_after_s),
            stale_after_s=settings.input.stale_after_s,
            is_full=stream.is_full,
            gathered=stream.gathered,
            is_shared=sum(other.track is camera.track for other in self._cameras) > 1,
            sync_tolerance_s=settings.input.sync_tolerance_s,
        )

    def _publish_waiting_status(self, camera: Camera) -> None:
        track = camera.track
        status = waiting_status(
            self.get_clock().now().to_msg(), camera.health.happened(), camera.verdict,
            track.numbers(), track.world.scale,
        )  # fmt: skip
        with self._outputs_in_use:
            if camera in self._cameras:
                camera.publish_status(status)

    def _publish_diagnostics(self) -> None:
        reports = [
            diagnostics.diagnose(
                camera.name, camera.health.happened(), camera.circumstances, camera.verdict
            )
            for camera in self._cameras
        ]
        if not self._cameras:
            reports = [diagnostics.not_configured(self._failure)]
        self._diagnostics.publish(
            diagnostics.diagnostic_array(
                self.get_clock().now().to_msg(),
                self.get_fully_qualified_name(),
                self.settings.network.source,
                reports,
            )
        )
