"""Processes and participants for tests that talk to real nodes over real topics."""

import array
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import rclpy
from geometry_msgs.msg import PoseWithCovarianceStamped
from lifecycle_msgs.srv import ChangeState, GetState
from nav_msgs.msg import Odometry
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParametersAtomically
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2
from std_srvs.srv import Trigger
from tf2_msgs.msg import TFMessage

from stream3r_ros.msg import StreamStatus

ROOT = Path(__file__).parents[1]
PATIENCE_S = 60.0
GRACE_S = 5.0
# Of a domain: multicast, which discovery on this machine alone does without, and the first six.
PARTICIPANT_PORTS = (0, *range(10, 22, 2))
OUTPUTS = {
    'tf': (TFMessage, '/tf'),
    'odom': (Odometry, '/stream3r/odom'),
    'pose': (PoseWithCovarianceStamped, '/stream3r/pose'),
    'depth': (Image, '/stream3r/depth/image'),
    'depth_info': (CameraInfo, '/stream3r/depth/camera_info'),
    'confidence': (Image, '/stream3r/confidence/image'),
    'points': (PointCloud2, '/stream3r/points'),
    'status': (StreamStatus, '/stream3r/status'),
}
DEFAULTS = {
    'mode': 'window', 'window_size': 5, 'start_frames': 1, 'min_confidence': 1.0,
    'points__stride': 0,
}  # fmt: skip


DOMAINS_GIVEN: set[int] = set()


def free_domain() -> int:
    """Find a ROS domain that nobody on this machine takes part in, and that is new if possible."""
    candidates = list(range(1, 100))
    random.shuffle(candidates)
    for domain in sorted(candidates, key=DOMAINS_GIVEN.__contains__):
        if not any(is_bound(7400 + 250 * domain + offset) for offset in PARTICIPANT_PORTS):
            DOMAINS_GIVEN.add(domain)
            return domain
    raise RuntimeError('no ROS domain is free')


def is_bound(port: int) -> bool:
    """Tell whether somebody listens at a UDP port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(('', port))
        except OSError:
            return True
    return False


class NodeProcess:
    """One of our executables as a process of its own; ends with the ``with`` block."""

    def __init__(self, executable: str, domain: int, *, env=None, more=(), **parameters):
        arguments = []
        for name, value in parameters.items():
            text = str(value).lower() if isinstance(value, bool) else str(value)
            # Quotes keep text text, such as a folder named 123.
            value_text = f"'{text}'" if isinstance(value, (str, Path)) else text
            arguments += ['-p', f'{name.replace("__", ".")}:={value_text}']
        self._command = [
            sys.executable,
            str(ROOT / 'scripts' / executable),
            '--ros-args',
            *arguments,
            *more,
        ]
        self._env = os.environ | {'ROS_DOMAIN_ID': str(domain)} | (env or {})
        self._log = tempfile.TemporaryFile('w+')

    def __enter__(self):
        self.process = subprocess.Popen(
            self._command, env=self._env, stdout=self._log, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        return self

    def __exit__(self, *_):
        # A killed process would leave its shared memory behind, 35 MB each time.
        self.process.terminate()
        try:
            self.process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._log.close()

    def end(self, number=signal.SIGTERM, timeout_s: float = 10.0) -> int:
        """Send a signal and return the exit status."""
        self.process.send_signal(number)
        return self.process.wait(timeout_s)

    def wait(self, timeout_s: float = PATIENCE_S) -> int:
        """Wait for the process to end by itself and return the exit status."""
        return self.process.wait(timeout_s)

    def output(self) -> str:
        """Return what the process has printed so far."""
        with open(f'/proc/self/fd/{self._log.fileno()}') as log:
            return log.read()

    def wait_for_output(self, text: str, timeout_s: float = PATIENCE_S) -> str:
        """Wait until the process has printed a text; return all it has printed."""
        wait_until(
            lambda: text in self.output() or self.process.poll() is not None, text, timeout_s
        )
        assert text in self.output(), self.output()
        return self.output()


def wait_until(condition, what='condition', timeout_s: float = PATIENCE_S):
    """Poll until something is true; AssertionError after ``timeout_s``."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f'waited {timeout_s} s for: {what}'
        time.sleep(0.01)


class Participant:
    """Publish images to the node and record everything it publishes."""

    def __init__(self, domain: int, compressed: bool = False, name: str = 'participant'):
        self._context = Context()
        rclpy.init(context=self._context, domain_id=domain)
        self.node = Node(name, context=self._context)
        self.records = defaultdict(list)  # output -> [(message, source timestamp)]
        kind, topic = (CompressedImage, 'image/compressed') if compressed else (Image, 'image')
        self._images = self.node.create_publisher(kind, topic, 10)
        self._info_publisher = None
        for name, (kind, topic) in OUTPUTS.items():
            self.node.create_subscription(kind, topic, self._recorder(name), 50)
        self._reset = self.node.create_client(Trigger, '/stream3r/reset')
        self._set = self.node.create_client(
            SetParametersAtomically, '/stream3r/set_parameters_atomically'
        )
        self._change_state = self.node.create_client(ChangeState, '/stream3r/change_state')
        self._get_state = self.node.create_client(GetState, '/stream3r/get_state')
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._stamp = 0

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._context.try_shutdown()
        self._thread.join()
        self.node.destroy_node()

    def _spin(self):
        try:
            self._executor.spin()
        except ExternalShutdownException:
            pass

    def _recorder(self, name):
        def record(message, info):
            # A status without an image answers none.
            is_waiting = name == 'status' and not message.header.frame_id
            kept = self.records['waiting' if is_waiting else name]
            kept.append((message, info['source_timestamp']))

        return record

    # --- talking to the node ---

    def wait_until_connected(self, silent: tuple[str, ...] = ()):
        """Wait until the node listens to images and everything it publishes is heard.

        Outputs that are ``silent`` for now are left out.
        """
        expected = [name for name in OUTPUTS if name not in silent]
        wait_until(self._images.get_subscription_count, 'the node subscribes to images')
        wait_until(
            lambda: all(
                any(
                    info.node_name == 'stream3r'
                    for info in self.node.get_publishers_info_by_topic(topic)
                )
                for _, topic in OUTPUTS.values()
            ),
            'the node offers all outputs',
        )
        # Discovery is not mutual yet: publish until everything has been answered once.
        deadline = time.monotonic() + PATIENCE_S
        while not all(self.messages(name) for name in expected):
            assert time.monotonic() < deadline, f'only heard {[*self.records]}'
            self.publish(picture())
            time.sleep(0.1)
        self.settle()
        self.clear()

    def call(self, client, request):
        """Call a service and return the response."""
        assert client.wait_for_service(PATIENCE_S), client.srv_name
        future = client.call_async(request)
        wait_until(future.done, client.srv_name)
        return future.result()

    def reset_stream(self):
        """Call ~/reset."""
        response = self.call(self._reset, Trigger.Request())
        assert response.success, response.message
        return response

    def set_parameters(self, **values):
        """Set parameters atomically; dots are double underscores. Returns the result."""
        parameters = [
            Parameter(name=name.replace('__', '.'), value=parameter_value(value))
            for name, value in values.items()
        ]
        request = SetParametersAtomically.Request(parameters=parameters)
        return self.call(self._set, request).result

    def restore_parameters(self):
        """Set the live parameters to their defaults."""
        assert self.set_parameters(**DEFAULTS).successful

    def transition(self, number: int) -> bool:
        """Ask for a lifecycle transition; return whether it succeeded."""
        request = ChangeState.Request()
        request.transition.id = number
        return self.call(self._change_state, request).success

    def state(self) -> str:
        """Return the lifecycle state's name."""
        return self.call(self._get_state, GetState.Request()).current_state.label

    # --- images ---

    def next_stamp(self) -> int:
        """Return the next stamp in ns; odd nanoseconds, so that a float would lose them."""
        self._stamp += 100_000_007
        return 1_700_000_000_123_456_789 + self._stamp

    @property
    def infos(self):
        """Give the publisher of camera_info; the node would miss what it never says."""
        if self._info_publisher is None:
            self._info_publisher = self.node.create_publisher(CameraInfo, 'camera_info', 10)
            wait_until(self._info_publisher.get_subscription_count, 'the node hears camera_info')
            time.sleep(0.5)  # discovery is not mutual yet
        return self._info_publisher

    def publish(self, message, info: CameraInfo | None = None, stamp_ns: int | None = None) -> int:
        """Publish an image with a new stamp; return the stamp in ns."""
        stamp_ns = stamp_ns or self.next_stamp()
        for each in (info, message):
            if each is not None:
                each.header.stamp.sec, each.header.stamp.nanosec = divmod(stamp_ns, 10**9)
                each.header.frame_id = 'camera_link_optical'
        if info is not None:
            self.infos.publish(info)
            time.sleep(0.05)  # two topics: the info is to be there before the image
        self._images.publish(message)
        return stamp_ns

    def publish_and_wait(self, message, info=None, **options) -> int:
        """Publish an image until the node has answered one with a status; return its stamp.

        The subscription is best effort, so an image may be lost on its way.
        """
        for _ in range(20):
            stamp = self.publish(message, info, **options)
            try:
                wait_until(lambda: self.find('status', stamp), 'status', timeout_s=3.0)  # noqa: B023
                return stamp
            except AssertionError:
                continue
        raise AssertionError('no image was answered')

    # --- answers ---

    def clear(self):
        """Forget what was heard."""
        self.records.clear()

    def messages(self, name: str) -> list:
        """Return what was heard on an output."""
        return [message for message, _ in list(self.records[name])]

    def find(self, name: str, stamp_ns: int):
        """Return the message with this stamp, or None."""
        found = self.find_with_time(name, stamp_ns)
        return found and found[0]

    def find_with_time(self, name: str, stamp_ns: int):
        """Return (message, source timestamp) of this stamp, or None."""
        for message, published in list(self.records[name]):
            if stamp_of(message) == stamp_ns:
                return message, published
        return None

    def stamps(self, name: str, since_ns: int = 0) -> list[int]:
        """Return the stamps of what was heard on an output, in ns, in their order."""
        stamps = [stamp_of(message) for message in self.messages(name)]
        return [stamp for stamp in stamps if stamp >= since_ns]

    def answer(self, stamp_ns: int, name: str):
        """Wait for the message with this stamp."""
        wait_until(lambda: self.find(name, stamp_ns), f'{name} of {stamp_ns}')
        return self.find(name, stamp_ns)

    def settle(self):
        """Wait until nothing has been heard for a while."""
        heard = -1
        while heard != (heard := sum(len(self.records[name]) for name in OUTPUTS)):
            time.sleep(0.4)


def stamp_of(message) -> int:
    """Return the stamp of a message in ns; of the first transform of several."""
    header = getattr(message, 'transforms', [message])[0].header
    return header.stamp.sec * 10**9 + header.stamp.nanosec


def parameter_value(value) -> ParameterValue:
    """Wrap a Python value."""
    kinds = {
        bool: (ParameterType.PARAMETER_BOOL, 'bool_value'),
        int: (ParameterType.PARAMETER_INTEGER, 'integer_value'),
        float: (ParameterType.PARAMETER_DOUBLE, 'double_value'),
        str: (ParameterType.PARAMETER_STRING, 'string_value'),
    }
    number, field = kinds[type(value)]
    return ParameterValue(type=number, **{field: value})


def picture(seed: int = 0, height: int = 96, width: int = 128) -> Image:
    """Make an rgb8 message of a smooth, coloured picture."""
    return image_message(picture_rgb(seed, height, width), 'rgb8')


def picture_rgb(seed: int = 0, height: int = 96, width: int = 128) -> np.ndarray:
    """Make a smooth, coloured picture (h, w, 3) uint8."""
    v, u = np.mgrid[0:height, 0:width] / 20.0
    waves = [np.sin(u * (1 + c) + v * (2 - c) + seed) for c in range(3)]
    return np.stack([127 + 120 * wave for wave in waves], axis=-1).astype(np.uint8)


def image_message(pixels: np.ndarray, encoding: str, padding: int = 0) -> Image:
    """Make an Image whose rows end in ``padding`` bytes of rubbish."""
    rows = np.ascontiguousarray(pixels).view(np.uint8).reshape(pixels.shape[0], -1)
    rows = np.pad(rows, ((0, 0), (0, padding)), constant_values=0xAA)
    height, width = pixels.shape[:2]
    return Image(
        height=height, width=width, encoding=encoding, step=rows.shape[1],
        data=array.array('B', rows.tobytes()),
    )  # fmt: skip
