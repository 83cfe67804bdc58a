"""The node ``stream3r``: images in, depth, clouds and poses out; a lifecycle node."""

import threading
import time

import torch
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_srvs.srv import Trigger

from stream3r_ros.network import Stream3R, load_network
from stream3r_ros.node import parameters
from stream3r_ros.node.log import forward_library_log
from stream3r_ros.node.outputs import Outputs
from stream3r_ros.node.worker import Counters, Job, Worker
from stream3r_ros.streaming import ImageStream

SENSOR_DATA_DEPTH = 1


class PerceptionNode(LifecycleNode):
    """Convert, run, publish; configure loads the network, activate begins a stream."""

    def __init__(self, stop: threading.Event) -> None:
        super().__init__('stream3r')
        self._stop = stop
        self.exit_status = 0
        forward_library_log(self.get_logger())
        parameters.declare(self)
        self._settings = parameters.settings(self)
        self.add_post_set_parameters_callback(self._on_parameters_set)
        self._counters = Counters()
        self._network: Stream3R | None = None
        self._outputs: Outputs | None = None
        self._worker: Worker | None = None
        self._camera_info: CameraInfo | None = None
        self._subscriptions_made: list = []
        self._reset_service = self.create_service(Trigger, '~/reset', self._on_reset)
        self._autostart_timer = None
        if self._settings.autostart:
            self._autostart_timer = self.create_timer(0.0, self._autostart)

    def stop(self, timeout_s: float) -> bool:
        """End the inference thread; tell whether it ended in time."""
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
        try:
            action()
        except (ValueError, RuntimeError, OSError, MemoryError) as error:
            self.get_logger().error(f'{transition} failed: {error}')
            return TransitionCallbackReturn.FAILURE
        except Exception as error:
            # rclpy would swallow it.
            self.get_logger().fatal(f'{transition}: {type(error).__name__}: {error}')
            raise
        return TransitionCallbackReturn.SUCCESS

    def _autostart(self) -> None:
        self._autostart_timer.cancel()
        if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()

    def _configure(self) -> None:
        settings = self._settings
        self.get_logger().info(f'loading the network from {settings.network_source}')
        begun = time.monotonic()
        if settings.network_threads:
            torch.set_num_threads(settings.network_threads)
        network = load_network(
            settings.network_source,
            device=settings.network_device,
            dtype=settings.network_dtype,
            revision=settings.network_revision or None,
        )
        ImageStream(network, settings.stream)  # raises for options that do not fit the network
        self.get_logger().info(f'network ready after {time.monotonic() - begun:.1f} s')
        self._network = network
        self._outputs = Outputs(self)

    def _activate(self) -> None:
        self._worker = Worker(
            self._network,
            self._outputs,
            lambda: self._settings,
            self._counters,
            self.get_logger(),
            self._end_with_failure,
        )
        self._worker.start()
        if self._settings.image_transport == 'compressed':
            self._subscribe(CompressedImage, 'image/compressed', self._on_image)
        else:
            self._subscribe(Image, 'image', self._on_image)
        self._subscribe(CameraInfo, 'camera_info', self._on_camera_info)

    def _deactivate(self) -> None:
        for subscription in self._subscriptions_made:
            self.destroy_subscription(subscription)
        self._subscriptions_made = []
        self._camera_info = None
        if self._worker is not None:
            self._worker.stop()
            self._worker = None

    def _cleanup(self) -> None:
        if self._outputs is not None:
            self._outputs.destroy()
        self._outputs = self._network = None

    def _subscribe(self, kind: type, topic: str, callback) -> None:
        keep_all = self._settings.drop_policy == 'keep_all'
        depth = self._settings.queue_limit if keep_all else SENSOR_DATA_DEPTH
        qos = QoSProfile(depth=depth, reliability=ReliabilityPolicy.BEST_EFFORT)
        self._subscriptions_made.append(
            self.create_subscription(
                kind, topic, callback, qos,
                qos_overriding_options=QoSOverridingOptions.with_default_policies(),
            )
        )  # fmt: skip

    def _end_with_failure(self) -> None:
        self.exit_status = 1
        self._stop.set()

    def _on_image(self, message: Image | CompressedImage) -> None:
        self._worker.offer(Job(message, self._camera_info, time.monotonic()))

    def _on_camera_info(self, info: CameraInfo) -> None:
        self._camera_info = info

    def _on_parameters_set(self, _) -> None:
        self._settings = parameters.settings(self)

    def _on_reset(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        if self._worker is None:
            response.message = 'the node is not active, there is no stream to reset'
            return response
        number = self._worker.restart()
        response.success = True
        response.message = f'the next image begins stream {number}'
        return response
