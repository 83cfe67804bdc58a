"""Odometry, its twist and its covariance, and the path so far."""

import math
from dataclasses import dataclass

import numpy as np
from builtin_interfaces.msg import Time as TimeMsg
from geometry_msgs.msg import (
    Point,
    Pose,
    PoseStamped,
    PoseWithCovariance,
    Quaternion,
    Twist,
    TwistWithCovariance,
    Vector3,
)
from nav_msgs.msg import Odometry, Path
from std_msgs.msg import Header

from stream3r_ros.geometry.rigid import invert_rigid, log_rigid, quat_xyzw_from_matrix
from stream3r_ros.node.placement import Placed

UNKNOWN_VARIANCE = 9999.0
"""What rtabmap writes, and reads, as: no odometry here, begin a new map."""
FIXED_VARIANCE = 1e-6
"""What robot_localization takes in two_d_mode for what a flat world fixes; 0 would be no value."""
FLAT_POSE = (2, 3, 4)  # z, roll, pitch, in the axes of the world
FLAT_TWIST = (2, 3, 4)  # of a body with z up
FLAT_TWIST_OPTICAL = (1, 3, 5)  # of a camera, whose y is down


@dataclass(frozen=True)
class Uncertainty:
    """Standard deviations, and how they grow as confidence falls.

    sigma = base * growth, growth = ((trusted_confidence - 1) / (mean_confidence - 1)) ^ power,
    between 1 and ``most_growth``: the least confidence of the network is 1, which says nothing.
    A declared model, not a measured one: confidence has no unit and no two networks agree on it.
    The pose's sigma does not grow with the way that was driven, though its error does; a filter
    should fuse the twist, or the pose differentially. The twist's sigma is the error of one step
    between two frames over the time between them.
    """

    position_m: float = 0.05
    rotation_rad: float = 0.02
    step_position_m: float = 0.01
    step_rotation_rad: float = 0.005
    trusted_confidence: float = 5.0
    power: float = 2.0
    most_growth: float = 20.0

    def growth(self, mean_confidence: float | None) -> float:
        """Give the factor of all sigmas; the most for a confidence that is not a number.

        For one that was not computed, None, it is 1: nothing speaks against the pose.
        """
        if mean_confidence is None:
            return 1.0
        if not mean_confidence > 1.0:
            return self.most_growth
        ratio = (self.trusted_confidence - 1.0) / (mean_confidence - 1.0)
        return min(max(ratio, 1.0) ** self.power, self.most_growth)

    def pose_variances(self, mean_confidence: float | None) -> np.ndarray:
        """Give the variances of x y z (m^2) and of rotations about x y z (rad^2)."""
        sigmas = np.repeat([self.position_m, self.rotation_rad], 3)
        return _bounded((sigmas * self.growth(mean_confidence)) ** 2)

    def twist_variances(self, mean_confidence: float | None, seconds: float) -> np.ndarray:
        """Give the variances of the linear (m^2/s^2) and the angular velocity (rad^2/s^2)."""
        sigmas = np.repeat([self.step_position_m, self.step_rotation_rad], 3)
        return _bounded((sigmas * self.growth(mean_confidence) / seconds) ** 2)


@dataclass(frozen=True)
class _Known:
    """A pose (4, 4) of a child in a world at a time."""

    stamp_ns: int
    frames: tuple[str, str]
    pose: np.ndarray


class Odometer:
    """Make the Odometry of one stream.

    The twist is the constant velocity, in the child's frame, that leads from the last pose to
    this one; it is 0 with UNKNOWN_VARIANCE where there is no last pose of the same frames, or
    where time did not pass. While lost, all variances are UNKNOWN_VARIANCE and a frame without a
    pose repeats the last one; the first frame after it has no twist. An uncertain scale
    makes the way since the beginning and the speed uncertain, axis by axis.
    """

    def __init__(self, uncertainty: Uncertainty | None = None) -> None:
        self._uncertainty = uncertainty or Uncertainty()
        self.begin()

    def begin(self) -> None:
        """Begin a new stream."""
        self._last: _Known | None = None  # what the next twist begins at
        self._shown: _Known | None = None  # what to repeat while lost
        self._origin: _Known | None = None  # where the stream or its scale began

    def message(
        self,
        stamp: TimeMsg,
        placed: Placed,
        mean_confidence: float | None,
        *,
        two_d_mode: bool = False,
        lost: bool = False,
        scale_sigma: float = 0.0,
    ) -> Odometry | None:
        """Tell where the child is and how fast; None where no pose is known."""
        now = _known(stamp, placed) or (self._shown if lost else None)
        if now is None:
            return None
        twist, seconds = (np.zeros(6), 0.0) if lost else self._twist(now)
        self._last, self._shown = None if lost else now, now
        pose_variances = twist_variances = np.full(6, UNKNOWN_VARIANCE)
        if not lost:
            pose_variances = self._pose_variances(mean_confidence, two_d_mode)
            way = scale_sigma * self._way(now)
            pose_variances[:3] = _bounded(pose_variances[:3] + way**2)
        if seconds > 0:
            optical = placed.child_is_optical
            twist_variances = self._uncertainty.twist_variances(mean_confidence, seconds)
            speed_sigma = scale_sigma * twist[:3]
            twist_variances[:3] = _bounded(twist_variances[:3] + speed_sigma**2)
            twist_variances[list(_flat_twist(two_d_mode, optical))] = FIXED_VARIANCE
        return Odometry(
            header=Header(stamp=stamp, frame_id=now.frames[0]),
            child_frame_id=now.frames[1],
            pose=PoseWithCovariance(pose=_pose(now.pose), covariance=_diagonal(pose_variances)),
            twist=TwistWithCovariance(twist=_twist(twist), covariance=_diagonal(twist_variances)),
        )

    def _way(self, now: _Known) -> np.ndarray:
        """Give the way (3,) from where the stream or its scale began, in the world's axes."""
        if self._origin is None or self._origin.frames != now.frames:
            self._origin = now
        return now.pose[:3, 3] - self._origin.pose[:3, 3]

    def _twist(self, now: _Known) -> tuple[np.ndarray, float]:
        """Give the twist (6,), linear then angular, and the seconds it was seen over, or 0."""
        last = self._last
        if last is None or last.frames != now.frames or now.stamp_ns <= last.stamp_ns:
            return np.zeros(6), 0.0
        seconds = (now.stamp_ns - last.stamp_ns) / 1e9
        return log_rigid(invert_rigid(last.pose) @ now.pose) / seconds, seconds

    def _pose_variances(self, mean_confidence: float | None, two_d_mode: bool) -> np.ndarray:
        variances = self._uncertainty.pose_variances(mean_confidence)
        if two_d_mode:
            variances[list(FLAT_POSE)] = FIXED_VARIANCE
        return variances


class PathRecorder:
    """Remember the way of one stream in at most ``max_poses`` poses, however long it is.

    A pose is kept when it is ``spacing`` away from the last kept one. When there are too many,
    every second one goes and the spacing doubles, so the whole way stays covered, evenly, and a
    robot that stands still adds nothing but noise once.
    """

    def __init__(self, max_poses: int) -> None:
        """Raise ValueError for less than the two ends of a way."""
        if max_poses < 2:
            raise ValueError(f'path.max_poses is {max_poses}, expected at least 2')
        self._max_poses = max_poses
        self.begin()

    def begin(self) -> None:
        """Begin a new stream."""
        self._kept: list[PoseStamped] = []
        self._spacing = 0.0
        self._newest: PoseStamped | None = None

    def add(self, odometry: Odometry) -> None:
        """Go on to a pose; one in another world begins a new way."""
        if self._newest and self._newest.header.frame_id != odometry.header.frame_id:
            self.begin()
        self._newest = PoseStamped(header=odometry.header, pose=odometry.pose.pose)
        if not self._kept or _distance(self._kept[-1], self._newest) >= self._spacing:
            self._kept.append(self._newest)
        if len(self._kept) >= self._max_poses:
            self._thin()

    def message(self) -> Path | None:
        """Give the way from the first pose to the newest, or None where there is none."""
        if self._newest is None:
            return None
        is_kept = self._kept[-1] is self._newest
        poses = self._kept if is_kept else [*self._kept, self._newest]
        return Path(header=self._newest.header, poses=list(poses))

    def _thin(self) -> None:
        steps = [_distance(*pair) for pair in zip(self._kept, self._kept[1:], strict=False)]
        self._spacing = 2 * max(self._spacing, float(np.mean(steps)))
        self._kept = self._kept[::2]


def _known(stamp: TimeMsg, placed: Placed) -> _Known | None:
    if placed.pose is None:
        return None
    frames = placed.world_frame, placed.child_frame
    return _Known(stamp.sec * 10**9 + stamp.nanosec, frames, placed.pose)


def _flat_twist(two_d_mode: bool, optical: bool) -> tuple[int, ...]:
    if not two_d_mode:
        return ()
    return FLAT_TWIST_OPTICAL if optical else FLAT_TWIST


def _bounded(variances: np.ndarray) -> np.ndarray:
    return np.clip(variances, FIXED_VARIANCE, UNKNOWN_VARIANCE)


def _diagonal(variances: np.ndarray) -> np.ndarray:
    return np.diag(variances).ravel()


def _pose(world_from_child: np.ndarray) -> Pose:
    x, y, z = world_from_child[:3, 3].tolist()
    qx, qy, qz, qw = quat_xyzw_from_matrix(world_from_child[:3, :3]).tolist()
    return Pose(position=Point(x=x, y=y, z=z), orientation=Quaternion(x=qx, y=qy, z=qz, w=qw))


def _twist(twist: np.ndarray) -> Twist:
    vx, vy, vz, wx, wy, wz = twist.tolist()
    return Twist(linear=Vector3(x=vx, y=vy, z=vz), angular=Vector3(x=wx, y=wy, z=wz))


def _distance(first: PoseStamped, second: PoseStamped) -> float:
    a, b = first.pose.position, second.pose.position
    return math.dist((a.x, a.y, a.z), (b.x, b.y, b.z))
