"""A tree of frames over time, asked for the transform between any two of them."""

import math
import threading
import time as wall
from dataclasses import dataclass

import numpy as np
import rclpy
from builtin_interfaces.msg import Time as TimeMsg
from geometry_msgs.msg import TransformStamped
from pytransform3d.transformations import (
    concat,
    invert_transform,
    pq_from_transform,
    transform_from_pq,
)
from rclpy.duration import Duration
from rclpy.logging import get_logger
from rclpy.node import Node
from rclpy.time import Time

from tf2_ros.cache import FrameCache, Sample
from tf2_ros.exceptions import (
    ConnectivityException,
    ExtrapolationException,
    InvalidArgumentException,
    LookupException,
    TransformException,
)

DEFAULT_CACHE_S = 10.0
POLL_S = 0.02
MAX_DEPTH = 1000  # of the tree, as in tf2: more means a loop
NORM_TOLERANCE = 1e-2  # of a quaternion's squared length, as in tf2


class Buffer:
    """Remember transforms for `cache_time` (10 s if not given) and interpolate between them."""

    def __init__(self, cache_time: Duration | None = None, node: Node | None = None) -> None:
        self.cache_time = cache_time or Duration(seconds=DEFAULT_CACHE_S)
        self.node = node
        self._frames: dict[str, FrameCache] = {}
        self._names: set[str] = set()  # of every frame ever heard of, roots included
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
        """Name the newest parent of every frame that has one."""
        with self._lock:
            known = {name: cache.at(None) for name, cache in self._frames.items() if cache.samples}
        lines = (f"{name}: \n  parent: '{sample.parent}'\n" for name, sample in known.items())
        return ''.join(lines) or '[]'

    def lookup_transform(
        self,
        target_frame: str,
        source_frame: str,
        time: Time,
        timeout: Duration = Duration(),  # noqa: B008, a Duration cannot be changed
    ) -> TransformStamped:
        """Give what maps coordinates of the source frame to the target frame.

        Time 0 means the latest at which all frames between the two are known. With a timeout it
        waits, while another thread spins. Raises LookupException, ConnectivityException or
        ExtrapolationException.
        """
        if timeout.nanoseconds > 0:
            self.can_transform(target_frame, source_frame, time, timeout)
        return self._lookup(target_frame, source_frame, _nanoseconds(time))

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
        reason = self._reason_against(target_frame, source_frame, time)
        while reason and wall.monotonic() < deadline and rclpy.ok():
            wall.sleep(POLL_S)
            reason = self._reason_against(target_frame, source_frame, time)
        return (not reason, reason) if return_debug_tuple else not reason

    def _insert(self, stamped: TransformStamped, authority: str, static: bool) -> None:
        child, parent = _bare(stamped.child_frame_id), _bare(stamped.header.frame_id)
        pq = _pq_from_message(stamped)
        reason = _reason_to_ignore(child, parent, pq)
        if reason:
            get_logger('tf2').error(f'Ignoring transform from authority "{authority}": {reason}')
            return
        pq[3:] /= np.linalg.norm(pq[3:])
        with self._lock:
            self._names.update((child, parent))
            cache = self._frames.get(child)
            if cache is None or cache.static != static:
                cache = FrameCache(self.cache_time.nanoseconds, static)
                self._frames[child] = cache
            cache.insert(Sample(_nanoseconds(stamped.header.stamp), parent, pq))

    def _reason_against(self, target: str, source: str, time: Time) -> str:
        try:
            self._lookup(target, source, _nanoseconds(time))
        except TransformException as error:
            return str(error)
        return ''

    def _lookup(self, target: str, source: str, stamp_ns: int) -> TransformStamped:
        with self._lock:
            self._check_known(target, 'target_frame')
            self._check_known(source, 'source_frame')
            resolved_ns = stamp_ns or self._latest_common(target, source)
            from_target = self._chain(target, resolved_ns)
            from_source = self._chain(source, resolved_ns)
        meeting = _meeting(from_target, from_source)
        target_from_source = concat(
            _to_ancestor(from_source, meeting),
            invert_transform(_to_ancestor(from_target, meeting)),
        )
        return _message(target_from_source, target, source, resolved_ns)

    def _check_known(self, frame: str, argument: str) -> None:
        if not frame:
            raise InvalidArgumentException(f'Invalid argument {argument}: frame_id is empty')
        if frame.startswith('/'):  # only what is broadcast may have a slash
            raise InvalidArgumentException(f'Invalid argument "{frame}": begins with a slash')
        if frame not in self._names:
            raise LookupException(
                f'"{frame}" passed to lookupTransform argument {argument} does not exist. '
            )

    def _latest_common(self, target: str, source: str) -> int:
        """Give the newest time (ns) that all moving frames between have, or 0 if none moves."""
        chains = self._chain(target, None), self._chain(source, None)
        meeting = _meeting(*chains)
        names = [name for chain in chains for name, _ in chain.below(meeting)]
        moving = [self._frames[name] for name in names if not self._frames[name].static]
        return min((cache.newest_ns for cache in moving), default=0)

    def _chain(self, frame: str, stamp_ns: int | None) -> 'Chain':
        """Walk from a frame up to the root, or to the first without data at that time.

        Missing data is no error yet: the two chains of a lookup may meet below it.
        """
        links: list[tuple[str, Sample]] = []
        while frame in self._frames and len(links) < MAX_DEPTH:
            try:
                sample = self._frames[frame].at(stamp_ns)
            except ExtrapolationException as error:
                return Chain(links, frame, error)
            links.append((frame, sample))
            frame = sample.parent
        return Chain(links, frame)


@dataclass(frozen=True)
class Chain:
    """A frame and its ancestors below `top`, each with its pose in the next."""

    links: list[tuple[str, Sample]]
    top: str
    cut_short: ExtrapolationException | None = None

    def names(self) -> list[str]:
        return [*(name for name, _ in self.links), self.top]

    def below(self, ancestor: str) -> list[tuple[str, Sample]]:
        return self.links[: self.names().index(ancestor)]


def _meeting(from_target: Chain, from_source: Chain) -> str:
    """Name the lowest frame that two chains share, or raise what keeps them apart."""
    ancestors = set(from_source.names())
    for name in from_target.names():
        if name in ancestors:
            return name
    target, source = from_target.names()[0], from_source.names()[0]
    error = from_target.cut_short or from_source.cut_short
    if error is not None:
        raise ExtrapolationException(
            f'{error}, when looking up transform from frame [{source}] to frame [{target}]'
        )
    raise ConnectivityException(
        f"Could not find a connection between '{target}' and '{source}': "
        'they are in two trees that nothing connects.'
    )


def _to_ancestor(chain: Chain, ancestor: str) -> np.ndarray:
    """Multiply up the chain: the 4 x 4 matrix from its first frame to the ancestor."""
    matrix = np.eye(4)
    for _, sample in chain.below(ancestor):
        matrix = concat(matrix, transform_from_pq(sample.pq))
    return matrix


def _bare(frame: str) -> str:
    return frame[1:] if frame.startswith('/') else frame


def _nanoseconds(time) -> int:
    if hasattr(time, 'nanosec'):
        return time.sec * 10**9 + time.nanosec
    return time.nanoseconds


def _pq_from_message(stamped: TransformStamped) -> np.ndarray:
    p, q = stamped.transform.translation, stamped.transform.rotation
    return np.array([p.x, p.y, p.z, q.w, q.x, q.y, q.z])


def _message(matrix: np.ndarray, target: str, source: str, stamp_ns: int) -> TransformStamped:
    stamped = TransformStamped(child_frame_id=source)
    stamped.header.frame_id = target
    stamped.header.stamp = TimeMsg(sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)
    p, q = stamped.transform.translation, stamped.transform.rotation
    p.x, p.y, p.z, q.w, q.x, q.y, q.z = map(float, pq_from_transform(matrix))
    return stamped


def _reason_to_ignore(child: str, parent: str, pq: np.ndarray) -> str:
    if not child or not parent:
        return f'a frame without a name (child "{child}", parent "{parent}")'
    if child == parent:
        return f'frame "{child}" is its own parent'
    if not np.isfinite(pq).all():
        return f'frame "{child}" has a NaN or infinite transform'
    if not math.isclose(float(pq[3:] @ pq[3:]), 1.0, abs_tol=NORM_TOLERANCE):
        return f'frame "{child}" has a quaternion that is not of unit length'
    return ''
