"""The metric scale from a depth sensor: its metres beside the network's unit, pixel by pixel."""

import math
import threading
from collections import deque
from dataclasses import dataclass, replace

import numpy as np
from sensor_msgs.msg import CameraInfo, Image

from stream3r_ros.export.errors import compared_depths
from stream3r_ros.geometry.scale import LogScale, fused_scale, scale_of_depths, smooth_pixels
from stream3r_ros.node.scale_source import ScaleFrame, Told
from stream3r_ros.node.scale_state import ScaleRule

PIXEL = {'32FC1': np.dtype(np.float32), '16UC1': np.dtype(np.uint16)}
MOST_PIXELS = 16_384
"""Of a depth image; larger ones are thinned as they come."""
MOST_MESSAGES = 32
MOST_WAITING = 8
"""Images that wait for the depth of their stamp."""
MOST_FRAMES = 32
"""Images that the estimate rests on; the oldest one is forgotten."""
LONGEST = 1e6
"""Pixels of a focal length; a larger one is a defect."""


@dataclass(frozen=True, eq=False)
class SensorDepth:
    """Every ``stride``-th row and column of a depth image, float32 m; not positive is unknown."""

    stamp_ns: int
    frame: str
    image_hw: tuple[int, int]
    stride: int
    depth_m: np.ndarray


class HeardDepth:
    """The last depth images of a sensor, thinned; any thread may call any method."""

    def __init__(self, max_pixels: int) -> None:
        self._refused = ''
        self._max_pixels = max_pixels
        self._lock = threading.Lock()
        self._heard: deque[SensorDepth] = deque(maxlen=MOST_MESSAGES)
        self.info: CameraInfo | None = None

    def put(self, message: Image) -> None:
        """Take a depth image in."""
        try:
            heard = read_depth(message, self._max_pixels)
        except ValueError as error:
            self._refused = f'depth refused: {error}'
            return
        with self._lock:
            self._heard.append(heard)

    def take_problem(self) -> str:
        """Give the last reason of a refusal that was not given yet, or what is missing, or ''."""
        with self._lock:
            refused, self._refused = self._refused, ''
            missing = '' if self._heard else 'no scale as yet: no depth has arrived'
        return refused or missing

    def put_info(self, message: CameraInfo) -> None:
        """Take a camera_info in; it is looked at when it is needed."""
        self.info = message

    def nearest(self, stamp_ns: int, tolerance_ns: int) -> SensorDepth | None:
        """Give the depth whose stamp is nearest to another, and within the tolerance."""
        with self._lock:
            heard = list(self._heard)
        near = [one for one in heard if abs(one.stamp_ns - stamp_ns) <= tolerance_ns]
        return min(near, key=lambda one: abs(one.stamp_ns - stamp_ns), default=None)

    def awaits(self, stamp_ns: int) -> bool:
        """Tell whether the depth of a stamp may still come."""
        with self._lock:
            return not self._heard or self._heard[-1].stamp_ns < stamp_ns


def read_depth(message: Image, max_pixels: int) -> SensorDepth:
    """Read and thin a depth image (REP-118): 32FC1 in m or 16UC1 in mm.

    Raises ValueError for another encoding and for sizes that contradict each other or exceed
    ``max_pixels``; no more than the message's own size is ever allocated.
    """
    height, width, step = message.height, message.width, message.step
    kind = PIXEL.get(message.encoding)
    if kind is None:
        raise ValueError(f'its encoding is {message.encoding!r}, expected 32FC1 or 16UC1')
    if not 0 < height * width <= max_pixels:
        raise ValueError(
            f'it has {height} x {width} pixels (height x width), expected 1 to input.max_pixels '
            f'{max_pixels}'
        )
    size, row_bytes = len(message.data), width * kind.itemsize
    if step < row_bytes or size != step * height:
        raise ValueError(
            f'its {height} rows of {width} pixels need a step of {row_bytes} bytes or more and '
            f'step x rows bytes, found a step of {step} and {size} bytes'
        )
    if message.header.stamp.sec < 0 or message.header.stamp.nanosec >= 10**9:
        stamp = message.header.stamp
        raise ValueError(f'its stamp is {stamp.sec} s and {stamp.nanosec} ns')
    stride = _stride(height, width)
    rows = np.frombuffer(message.data, np.uint8).reshape(height, step)[::stride, :row_bytes]
    kind = kind.newbyteorder('>' if message.is_bigendian else '<')
    depth_m = np.ascontiguousarray(rows).view(kind)[:, ::stride].astype(np.float32)
    if message.encoding == '16UC1':
        depth_m *= np.float32(0.001)
    stamp_ns = message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
    return SensorDepth(stamp_ns, message.header.frame_id, (height, width), stride, depth_m)


def _stride(height: int, width: int) -> int:
    stride = math.isqrt(height * width // MOST_PIXELS) or 1
    while -(-height // stride) * -(-width // stride) > MOST_PIXELS:
        stride += 1
    return stride


def sensor_matrix(info: CameraInfo | None, depth: SensorDepth) -> np.ndarray:
    """Give the camera matrix (3, 3) of thinned depth; raises ValueError where none fits.

    P holds where there is one: of rectified images it alone does.
    """
    if info is None:
        raise ValueError('no depth/camera_info has arrived')
    if (info.height, info.width) != depth.image_hw:
        raise ValueError(
            f'depth/camera_info speaks of {info.height} x {info.width} pixels (height x width), '
            f'found {depth.image_hw[0]} x {depth.image_hw[1]}'
        )
    matrix = info.p.reshape(3, 4)[:, :3] if info.p.any() else info.k.reshape(3, 3)
    focal = matrix.diagonal()[:2]
    if not (np.abs(matrix).max() <= LONGEST and (focal > 0).all()):  # nor is NaN
        raise ValueError('depth/camera_info is not calibrated: its focal lengths are not positive')
    # Made anew: whatever else a message has there, depth images have no skew.
    pinhole = np.array([[focal[0], 0, matrix[0, 2]], [0, focal[1], matrix[1, 2]], [0, 0, 1.0]])
    return np.diag([1 / depth.stride, 1 / depth.stride, 1.0]) @ pinhole


class DepthScale:
    """Compare the depth of one camera with a sensor's in the same optical frame.

    Pixels count that pass the node's filters, are among the surer half and are not at an edge;
    of the sensor's, those that are finite and positive. A frame waits until its depth is there.
    """

    def __init__(self, heard: HeardDepth, tolerance_ns: int) -> None:
        self._heard = heard
        self._tolerance_ns = tolerance_ns
        self.begin()

    def begin(self) -> None:
        """Begin a new stream."""
        self._waiting: deque[tuple[ScaleFrame, np.ndarray]] = deque(maxlen=MOST_WAITING)
        self._frames: deque[LogScale] = deque(maxlen=MOST_FRAMES)

    def look(self, frame: ScaleFrame, rule: ScaleRule) -> Told:
        """Take a frame in, and those before it whose depth has come since."""
        if frame.estimate.depth is not None:
            bare = replace(frame.estimate, image_rgb=frame.estimate.image_rgb[:0])
            self._waiting.append((replace(frame, estimate=bare), usable_depth(frame)))
        found, problem = 0, self._heard.take_problem()
        while self._waiting:
            ready, depth = self._waiting[0]
            sensor = self._heard.nearest(ready.stamp_ns, self._tolerance_ns)
            if sensor is None and self._heard.awaits(ready.stamp_ns + self._tolerance_ns):
                break
            self._waiting.popleft()
            if sensor is None:
                continue
            try:
                self._frames.append(self._compared(ready, depth, sensor))
                found += 1
            except ValueError as error:
                problem = f'no scale: {error}'
        return Told(found > 0, fused_scale(self._frames) if found else None, problem)

    def _compared(self, frame: ScaleFrame, depth: np.ndarray, sensor: SensorDepth) -> LogScale:
        name = sensor.frame.lstrip('/')
        if name not in (frame.optical, frame.image_frame.lstrip('/')):
            raise ValueError(
                f'the frame of depth is {name!r}, expected that of the camera, {frame.optical!r}: '
                f'have the driver register depth to the image'
            )
        matrix = sensor_matrix(self._heard.info, sensor)
        if not np.isfinite(frame.network_matrix).all():
            raise ValueError('the camera matrix of the frame is not finite')
        measured, estimated = compared_depths(
            sensor.depth_m, depth, matrix, frame.network_matrix, MOST_PIXELS
        )
        scale = scale_of_depths(measured, estimated)
        if scale is None:
            raise ValueError(f'only {len(measured)} pixels have a depth from both sides')
        return scale


def usable_depth(frame: ScaleFrame) -> np.ndarray:
    """Give the frame's depth (H, W), NaN where it says nothing about the scale."""
    estimate = frame.estimate
    usable = estimate.valid & smooth_pixels(estimate.depth)
    if usable.any():
        usable &= estimate.confidence >= np.median(estimate.confidence[usable])
    return np.where(usable, estimate.depth, np.float32(np.nan))
