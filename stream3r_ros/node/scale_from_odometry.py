"""The metric scale from the robot's own odometry: the way of the camera in metres."""

import threading
from bisect import bisect_left
from collections import deque
from dataclasses import dataclass

import numpy as np
from nav_msgs.msg import Odometry

from stream3r_ros.geometry.rigid import (
    exp_rigid,
    invert_rigid,
    log_rigid,
    matrix_from_quat_xyzw,
    rigid,
)
from stream3r_ros.geometry.scale import LogScale, scale_of_way
from stream3r_ros.node.frames import FARTHEST, FrameTree
from stream3r_ros.node.odometry import UNKNOWN_VARIANCE
from stream3r_ros.node.scale_source import ScaleFrame, Told
from stream3r_ros.node.scale_state import ScaleRule

MOST_MESSAGES = 2000
MOST_WAITING = 32
"""Images that wait for the odometry of their stamp."""
MOST_PLACES = 32
"""Places of the way that is compared; the oldest one is forgotten."""
MOST_GAP_NS = 500_000_000
"""Between two messages; what the robot did in a longer gap nobody knows."""
MOST_AHEAD_NS = 10_000_000_000
"""One message does not decide that so much time has passed."""


@dataclass(frozen=True)
class _Heard:
    """Where the robot was: a unit quaternion xyzw and metres."""

    stamp_ns: int
    position: tuple[float, float, float]
    quat_xyzw: tuple[float, float, float, float]

    @property
    def matrix(self) -> np.ndarray:
        return rigid(matrix_from_quat_xyzw(np.array(self.quat_xyzw)), np.array(self.position))


@dataclass(frozen=True, eq=False)
class RobotPose:
    """Where the robot was at a stamp; poses of one ``epoch`` are in one world."""

    world_from_base: np.ndarray
    base: str
    epoch: int


class HeardOdometry:
    """The last MOST_MESSAGES messages of a robot's odometry; any thread may call any method.

    What cannot be true is refused. Stamps rise: one that goes back, or on by far, is refused, and
    when the next one follows it, time has changed. Where it went back, and with other frames,
    another epoch begins.
    """

    def __init__(self) -> None:
        self._refused = ''
        self._lock = threading.Lock()
        self._heard: deque[_Heard] = deque(maxlen=MOST_MESSAGES)
        self._frames = ('', '')
        self._epoch = 0
        self._elsewhere_ns: int | None = None  # a stamp far from the last one

    def put(self, message: Odometry) -> None:
        """Take a message in."""
        try:
            heard = _checked(message)
        except ValueError as error:
            self._refused = f'odometry refused: {error}'
            return
        frames = message.header.frame_id, message.child_frame_id
        with self._lock:
            back_ns = self._heard[-1].stamp_ns - heard.stamp_ns if self._heard else -1
            if 0 <= back_ns <= MOST_GAP_NS and frames == self._frames:
                self._refused = 'odometry refused: its stamp is no later than the last one'
                return
            is_elsewhere = not -MOST_AHEAD_NS < back_ns < 0 and frames == self._frames
            if self._heard and is_elsewhere and not self._follows(heard.stamp_ns):
                self._refused = (
                    f'odometry refused: its stamp is {abs(back_ns) / 1e9:.3f} s from the last one'
                )
                return
            self._elsewhere_ns = None
            if back_ns >= 0 or frames != self._frames:
                self._heard.clear()
                self._epoch += 1
            self._heard.append(heard)
            self._frames = frames

    def _follows(self, stamp_ns: int) -> bool:
        """Tell whether a stamp far from the last one follows another such, and take note."""
        before, self._elsewhere_ns = self._elsewhere_ns, stamp_ns
        return before is not None and 0 < stamp_ns - before <= MOST_GAP_NS

    def take_problem(self) -> str:
        """Give the last reason of a refusal that was not given yet, or what is missing, or ''."""
        with self._lock:
            refused, self._refused = self._refused, ''
            missing = '' if self._heard else 'no scale as yet: no odometry has arrived'
        return refused or missing

    def awaits(self, stamp_ns: int) -> bool:
        """Tell whether a message may still come that says where the robot was."""
        with self._lock:
            return not self._heard or self._heard[-1].stamp_ns < stamp_ns

    def pose_at(self, stamp_ns: int) -> RobotPose | None:
        """Give the pose between the two messages around a stamp; None without those."""
        with self._lock:
            after = bisect_left(self._heard, stamp_ns, key=lambda heard: heard.stamp_ns)
            if after == len(self._heard):
                return None
            second = self._heard[after]
            first = second if second.stamp_ns == stamp_ns else None
            if first is None and after:
                first = self._heard[after - 1]
            base, epoch = self._frames[1], self._epoch
        if first is None or second.stamp_ns - first.stamp_ns > MOST_GAP_NS:
            return None
        return RobotPose(_between(first, second, stamp_ns), base, epoch)


def _checked(message: Odometry) -> _Heard:
    stamp = message.header.stamp
    if stamp.sec < 0 or stamp.nanosec >= 10**9:
        raise ValueError(f'its stamp is {stamp.sec} s and {stamp.nanosec} ns')
    p, q = message.pose.pose.position, message.pose.pose.orientation
    position, quat = np.array([p.x, p.y, p.z]), np.array([q.x, q.y, q.z, q.w])
    if not np.abs(position).max() <= FARTHEST:  # nor is NaN
        raise ValueError(f'its position is not within {FARTHEST:g} m')
    if not 0.5 <= np.abs(quat).max() <= 1.001:
        raise ValueError('its orientation is no unit quaternion')
    length = float(np.linalg.norm(quat))
    if not 0.99 <= length <= 1.01:
        raise ValueError(f'its orientation has length {length:.3f}, expected 1')
    if not message.pose.covariance[0] < UNKNOWN_VARIANCE:
        raise ValueError(f'its variance says that the pose is unknown ({UNKNOWN_VARIANCE:g})')
    stamp_ns = stamp.sec * 10**9 + stamp.nanosec
    return _Heard(stamp_ns, tuple(position.tolist()), tuple((quat / length).tolist()))


def _between(first: _Heard, second: _Heard, stamp_ns: int) -> np.ndarray:
    """Go on from the first pose with the constant twist that leads to the second."""
    start = first.matrix
    if second.stamp_ns == first.stamp_ns:
        return start
    share = (stamp_ns - first.stamp_ns) / (second.stamp_ns - first.stamp_ns)
    return start @ exp_rigid(share * log_rigid(invert_rigid(start) @ second.matrix))


@dataclass(frozen=True, eq=False)
class _Place:
    """Where the camera was: by the robot in metres, and by the network in its unit."""

    measured: np.ndarray
    estimated: np.ndarray


class OdometryScale:
    """Compare the ways of one camera, as the robot drove it and as the network saw it.

    The robot's pose is that of the camera on it: the mount comes from TF, so that a turn about
    the robot's middle is a way for a camera that sits elsewhere, and none for one that sits there.
    A place is added once the camera is ``min_distance_m`` from the last one, so a robot that
    stands still adds none. An image waits until the odometry around its stamp is there.
    """

    def __init__(self, tree: FrameTree, heard: HeardOdometry) -> None:
        self._tree = tree
        self._heard = heard
        self.begin()

    def begin(self) -> None:
        """Begin a new stream."""
        self._waiting: deque[ScaleFrame] = deque(maxlen=MOST_WAITING)
        self._places: deque[_Place] = deque(maxlen=MOST_PLACES)
        self._epoch = -1

    def look(self, frame: ScaleFrame, rule: ScaleRule) -> Told:
        """Take a frame in, and those before it whose odometry has come since."""
        self._waiting.append(frame)
        is_heard, is_longer, problem = False, False, ''
        while self._waiting and not self._heard.awaits(self._waiting[0].stamp_ns):
            ready = self._waiting.popleft()
            robot = self._heard.pose_at(ready.stamp_ns)
            if robot is None:
                continue
            mount, problem = self._mount(robot.base or ready.base, ready)
            if mount is not None:
                is_heard = True
                place = _Place(robot.world_from_base @ mount, ready.estimate.world_from_camera)
                is_longer |= self._add(place, robot.epoch, rule.min_distance_m)
        newest = self._newest() if is_longer else None
        return Told(is_heard, newest, problem or self._heard.take_problem())

    def _mount(self, base: str, frame: ScaleFrame) -> tuple[np.ndarray | None, str]:
        answer = self._tree.lookup(base, frame.optical, frame.stamp)
        if answer.matrix is not None:
            return answer.matrix, ''
        way = f'from {base!r}, which the odometry speaks of, to the camera {frame.optical!r}'
        return None, f'no scale: TF has no transform {way}: {answer.reason}'

    def _add(self, place: _Place, epoch: int, min_distance_m: float) -> bool:
        """Add a place that is far enough from the last one; tell whether it was."""
        if epoch != self._epoch:
            self._epoch = epoch
            self._places.clear()
        if self._places:
            passed = place.measured[:3, 3] - self._places[-1].measured[:3, 3]
            if np.linalg.norm(passed) < min_distance_m:
                return False
        self._places.append(place)
        return True

    def _newest(self) -> LogScale | None:
        measured = np.stack([place.measured for place in self._places])
        estimated = np.stack([place.estimated for place in self._places])
        return scale_of_way(measured, estimated)
