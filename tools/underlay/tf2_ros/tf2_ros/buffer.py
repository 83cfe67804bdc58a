"""A tree of frames over time, asked for the transform between any two of them."""

import math
import threading
import time as wall

import numpy as np
from builtin_interfaces.msg import Time as TimeMsg
from geometry_msgs.msg import TransformStamped
from rclpy.duration import Duration
from rclpy.logging import get_logger
from rclpy.node import Node
from rclpy.time import Time

from tf2_ros.cache import FrameCache, Sample, seconds
from tf2_ros.exceptions import (
    InvalidArgumentException,
    LookupException,
    TransformException,
)
from tf2_ros.motion import STILL, Motion
from tf2_ros.tree import latest_common_ns, walk

DEFAULT_CACHE_S = 10.0
POLL_S = 0.02
SHORTEST_NS = 10**5  # the time over which a rate is reckoned, at least


class Buffer:
    """Remember transforms for `cache_time` (10 s if not given) and interpolate between them."""

    def __init__(self, cache_time: Duration | None = None, node: Node | None = None) -> None:
        if cache_time is None:
            cache_time = Duration(seconds=DEFAULT_CACHE_S)
        self.node = node
        self._span_ns = cache_time.nanoseconds
        self._frames: dict[str, FrameCache] = {}
        self._authorities: dict[str, str] = {}
        # Every frame ever heard of, roots included, in the order in which they were.
        self._names: dict[str, None] = {}
        self._lock = threading.RLock()

    def set_transform(self, transform: TransformStamped, authority: str) -> None:
        """Remember a transform that may change; an impossible one is logged and ignored."""
        self._insert(transform, authority, static=False)

    def set_transform_static(self, transform: TransformStamped, authority: str) -> None:
        """Remember a transform that holds at all times."""
        self._insert(transform, authority, static=True)

    def clear(self) -> None:
        """Forget what changes over time; static transforms and all names stay."""
        with self._lock:
            for cache in self._frames.values():
                cache.clear()

    def all_frames_as_yaml(self) -> str:
        """Tell the newest parent of every frame that has one, its sender, rate and times."""
        with self._lock:
            if not self._names:
                return '[]'
            return ''.join(self._entry(name) for name in self._names if self._is_known(name))

    def lookup_transform(
        self,
        target_frame: str,
        source_frame: str,
        time: Time,
        timeout: Duration = Duration(),  # noqa: B008, a Duration cannot be changed
    ) -> TransformStamped:
        """Give what maps coordinates of the source frame to the target frame.

        Time 0 means the latest at which all frames between the two are known. With a timeout it
        waits, while another thread spins. Raises LookupException, ConnectivityException,
        ExtrapolationException or InvalidArgumentException.
        """
        self.can_transform(target_frame, source_frame, time, timeout)
        return self._lookup(target_frame, source_frame, _nanoseconds(time), 'lookupTransform')

    def can_transform(
        self,
        target_frame: str,
        source_frame: str,
        time: Time,
        timeout: Duration = Duration(),  # noqa: B008, a Duration cannot be changed
        return_debug_tuple: bool = False,
    ):
        """Tell whether the lookup would succeed before the timeout; with the reason if asked."""
        deadline = wall.monotonic() + timeout.nanoseconds * 1e-9
        found = self._can_transform(target_frame, source_frame, time)
        while not found[0] and wall.monotonic() < deadline:
            wall.sleep(POLL_S)
            found = self._can_transform(target_frame, source_frame, time)
        return found if return_debug_tuple else found[0]

    def _insert(self, stamped: TransformStamped, authority: str, static: bool) -> None:
        child, parent = _bare(stamped.child_frame_id), _bare(stamped.header.frame_id)
        motion = _motion(stamped)
        reason = _reason_to_ignore(child, parent, motion)
        if reason:
            get_logger('tf2').error(f'Ignoring transform from authority "{authority}": {reason}')
            return
        stamp_ns = _nanoseconds(stamped.header.stamp)
        with self._lock:
            self._names |= {child: None, parent: None}
            cache = self._frames.get(child)
            if cache is None or cache.static != static:
                cache = self._frames[child] = FrameCache(self._span_ns, static)
            if cache.insert(Sample(stamp_ns, parent, motion)):
                self._authorities[child] = authority
                return
        get_logger('tf2').warning(
            f'TF_OLD_DATA ignoring data from the past for frame {child} at time '
            f'{seconds(stamp_ns)} according to authority {authority}'
        )

    def _can_transform(self, target: str, source: str, time: Time) -> tuple[bool, str]:
        try:
            self._lookup(target, source, _nanoseconds(time), 'canTransform')
        except TransformException as error:
            return False, str(error)
        return True, ''

    def _lookup(self, target: str, source: str, stamp_ns: int, asked: str) -> TransformStamped:
        with self._lock:
            if target == source:  # of a frame that need not even exist
                stamp_ns = stamp_ns or latest_common_ns(self._frames, target, source)
                return _message(STILL, target, source, stamp_ns)
            self._check_known(target, asked, 'target_frame')
            self._check_known(source, asked, 'source_frame')
            stamp_ns = stamp_ns or latest_common_ns(self._frames, target, source)
            target_from_source = walk(self._frames, target, source, stamp_ns)
        return _message(target_from_source, target, source, stamp_ns)

    def _check_known(self, frame: str, asked: str, argument: str) -> None:
        wrong = None
        if not frame:
            wrong = 'in tf2 frame_ids cannot be empty'
        elif frame.startswith('/'):  # only what is broadcast may have a slash
            wrong = "in tf2 frame_ids cannot start with a '/'"
        passed = f'"{frame}" passed to {asked} argument {argument}'
        if asked == 'canTransform' and (wrong or frame not in self._names):
            raise LookupException(f'Invalid frame ID {passed} - {wrong or "frame does not exist"}')
        if wrong:
            raise InvalidArgumentException(f'Invalid argument {passed} - {wrong}')
        if frame not in self._names:
            raise LookupException(f'{passed} does not exist. ')

    def _is_known(self, frame: str) -> bool:
        return frame in self._frames and bool(self._frames[frame].samples)

    def _entry(self, frame: str) -> str:
        cache = self._frames[frame]
        span_ns = cache.newest_ns - cache.oldest_ns
        values = {
            'parent': f"'{cache.at(0).parent}'",
            'broadcaster': f"'{self._authorities[frame]}'",
            'rate': f'{len(cache.samples) * 1e9 / max(span_ns, SHORTEST_NS):.3f}',
            'most_recent_transform': seconds(cache.newest_ns),
            'oldest_transform': seconds(cache.oldest_ns),
            'buffer_length': f'{span_ns / 1e9:.3f}',
        }
        return ''.join([f'{frame}: \n', *(f'  {key}: {values[key]}\n' for key in values)])


def _bare(frame: str) -> str:
    return frame[1:] if frame.startswith('/') else frame


def _nanoseconds(time) -> int:
    if hasattr(time, 'nanosec'):
        return time.sec * 10**9 + time.nanosec
    if hasattr(time, 'nanoseconds'):
        return time.nanoseconds
    raise TypeError(f'time must have sec and nanosec, or nanoseconds, found {time!r}')


def _motion(stamped: TransformStamped) -> Motion:
    """Read a transform; as tf2 does, of a quaternion of any length but zero."""
    p, q = stamped.transform.translation, stamped.transform.rotation
    quat_wxyz = np.array([q.w, q.x, q.y, q.z])
    square = float(quat_wxyz @ quat_wxyz)
    length = math.sqrt(square) if 0 < square < math.inf else math.nan
    return Motion(np.array([p.x, p.y, p.z]), quat_wxyz / length)


def _message(motion: Motion, target: str, source: str, stamp_ns: int) -> TransformStamped:
    stamped = TransformStamped(child_frame_id=source)
    stamped.header.frame_id = target
    stamped.header.stamp = TimeMsg(sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)
    p, q = stamped.transform.translation, stamped.transform.rotation
    p.x, p.y, p.z = map(float, motion.xyz)
    q.w, q.x, q.y, q.z = map(float, motion.quat_wxyz)
    return stamped


def _reason_to_ignore(child: str, parent: str, motion: Motion) -> str:
    """Say what is wrong with a transform; as in tf2 a translation may be infinite."""
    if not child or not parent:
        return f'a frame without a name (child "{child}", parent "{parent}")'
    if child == parent:
        return f'frame "{child}" is its own parent'
    if np.isnan(motion.xyz).any() or np.isnan(motion.quat_wxyz).any():
        return f'frame "{child}" has a NaN, or a quaternion of no length, in its transform'
    return ''
