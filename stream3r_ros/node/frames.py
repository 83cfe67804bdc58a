"""Names of frames, and what others say on /tf about them."""

import re
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from builtin_interfaces.msg import Time as TimeMsg
from geometry_msgs.msg import TransformStamped
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.time import Time
from tf2_msgs.msg import TFMessage
from tf2_ros import Buffer, ExtrapolationException, TransformException, TransformListener

from stream3r_ros.geometry.rigid import is_rigid, matrix_from_quat_xyzw, rigid
from stream3r_ros.node.stamps import StampOrder

DEFAULT_CAMERA_FRAME = 'camera_optical_frame'
WAIT_S = 0.05
"""The longest that a lookup waits for a transform that is late."""
RETRY_WAIT = 10
"""While a transform stays late, only every so many lookups wait for it."""
SETTLE_S = 1.0
"""After so much listening, what /tf_static has to say has been heard."""
REMEMBERED = 64
MOST_MOVING = 1000
"""Moving frames whose times are remembered, more than any robot has."""
TF_TOLERANCE_S = 1.0
"""Transforms that are older than the last one by up to this are late."""
SINGLE_ENTRY = re.compile(r'at time (?P<asked>\S+), but only time (?P<only>\S+) is in the buffer')
"""What tf2 says, with seconds, of a frame of which it has one transform."""
FARTHEST = 1e9
"""Units of length beyond which a translation is a defect, not a place."""


@dataclass(frozen=True)
class FrameNames:
    """Full names of the frames; ``camera`` is empty where each image names its own.

    Raises ValueError where a name is missing or two frames would be one.
    """

    map: str = 'map'
    odom: str = 'odom'
    base: str = 'base_link'
    camera: str = ''
    default_camera: str = DEFAULT_CAMERA_FRAME

    def __post_init__(self) -> None:
        seen: dict[str, str] = {}
        for frame in ('map', 'odom', 'base', 'camera'):
            name = getattr(self, frame)
            if not name and frame != 'camera':
                raise ValueError(f'frames.{frame} is empty, expected the name of a frame')
            if name in seen and (frame, seen[name]) != ('camera', 'base'):
                raise ValueError(
                    f'frames.{seen[name]} and frames.{frame} are both {name!r}, expected two names'
                )
            if name:
                seen[name] = frame

    @classmethod
    def prefixed(
        cls,
        prefix: str = '',
        map: str = 'map',  # noqa: A002, the name of the parameter
        odom: str = 'odom',
        base: str = 'base_link',
        camera: str = '',
    ) -> 'FrameNames':
        """Put ``frame_prefix`` before the names that come from parameters.

        As robot_state_publisher does, it is put there as it is: 'robot1/' brings its own slash.
        """
        return cls(
            map=_bare(prefix + map) if map else '',
            odom=_bare(prefix + odom) if odom else '',
            base=_bare(prefix + base) if base else '',
            camera=_bare(prefix + camera) if camera else '',
            default_camera=_bare(prefix + DEFAULT_CAMERA_FRAME),
        )

    def optical(self, header_frame: str) -> str:
        """Name the optical frame of an image whose header names ``header_frame``.

        A name from a header gets no prefix: it is the camera driver's, which was given the
        robot's prefix or none, and its transforms are on /tf under that very name. A leading
        slash goes: tf2 refuses to look such names up.
        """
        return self.camera or _bare(header_frame) or self.default_camera


@dataclass(frozen=True)
class Answer:
    """What a lookup gave: target_from_source (4, 4), or None and why, in words without numbers.

    ``absent``: /tf knows no way between the two frames. Otherwise it knows one, but not at that
    time, and the frames have their place in the tree.
    """

    matrix: np.ndarray | None = None
    reason: str = ''
    absent: bool = False


class FrameTree:
    """Ask a buffer of /tf, from any thread but the one that fills it.

    Feed the buffer with ``listen``, which leaves out what this node sent below a camera: heard
    back, it would hide the camera's place on the robot.
    """

    def __init__(self, buffer: Buffer, clock: Callable[[], float] = time.monotonic) -> None:
        self._buffer = buffer
        self._clock = clock
        self._began = clock()
        self._late: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._own: OrderedDict[tuple[str, str], None] = OrderedDict()

    @property
    def has_settled(self) -> bool:
        """Tell whether a frame that was not heard of by now is probably not there."""
        return self._clock() - self._began >= SETTLE_S

    def forget_moving(self) -> None:
        """Forget all but static transforms, for when time has gone back in /tf."""
        self._buffer.clear()
        self._late.clear()

    def lookup(self, target: str, source: str, stamp: TimeMsg) -> Answer:
        """Give target_from_source at a valid stamp; wait at most WAIT_S where it is late."""
        answer = self._ask(target, source, stamp, Duration())
        pair = (target, source)
        if answer.matrix is None and not answer.absent:
            count = _count(self._late, pair)
            if count % RETRY_WAIT == 0:
                answer = self._ask(target, source, stamp, Duration(seconds=WAIT_S))
            self._late[pair] = count + 1
        if answer.matrix is not None:
            self._late.pop(pair, None)
        return answer

    def parent_of(self, frame: str) -> str | None:
        """Name the parent that others gave a frame, or None."""
        entry = rf"^{re.escape(frame)}: *\n +parent: '(.*)'$"
        found = re.search(entry, self._buffer.all_frames_as_yaml(), re.MULTILINE)
        return found[1] if found else None

    def optical_frames(self) -> list[str]:
        """Name the frames in /tf whose names say that they are a camera's optical axes."""
        return re.findall(r'^(\S*optical\S*): *$', self._buffer.all_frames_as_yaml(), re.MULTILINE)

    def root_of(self, frame: str) -> str:
        """Name the topmost ancestor that others gave a frame."""
        seen = {frame}
        while (parent := self.parent_of(frame)) and parent not in seen:
            seen.add(parent)
            frame = parent
        return frame

    def remember_own(self, parent: str, child: str) -> None:
        """Note that this node is about to send a transform, of the last REMEMBERED pairs."""
        self._own[parent, child] = None
        if len(self._own) > REMEMBERED:
            self._own.popitem(last=False)

    def is_own(self, transform: TransformStamped) -> bool:
        """Tell whether this node may have sent a transform."""
        return (transform.header.frame_id, transform.child_frame_id) in self._own

    def _ask(self, target: str, source: str, stamp: TimeMsg, timeout: Duration) -> Answer:
        try:
            found = self._buffer.lookup_transform(target, source, Time.from_msg(stamp), timeout)
        except ExtrapolationException as error:
            return Answer(reason=_why_not_then(str(error)))
        except TransformException as error:
            return Answer(reason=str(error), absent=True)
        matrix = matrix_of(found)
        if not is_place(matrix):  # tf2 lets infinities through
            return Answer(reason=f'its values are not all within {FARTHEST:g}')
        return Answer(matrix)


class TransformTimes:
    """Notice that time has gone back for /tf itself, as when a bag loops.

    Every moving frame has times of its own, of the last MOST_MOVING frames, and one message
    decides nothing (StampOrder): the camera's images say nothing about the robot's frames.
    """

    def __init__(self) -> None:
        self._orders: OrderedDict[str, StampOrder] = OrderedDict()

    def has_gone_back(self, transform: TransformStamped) -> bool:
        """Take note of a transform; tell whether it confirms that time went back."""
        child, stamp = transform.child_frame_id, transform.header.stamp
        order = self._orders.pop(child, None) or StampOrder()
        self._orders[child] = order
        if len(self._orders) > MOST_MOVING:
            self._orders.popitem(last=False)
        now_s, stamp_ns = time.monotonic(), stamp.sec * 10**9 + stamp.nanosec
        judgement = order.judge(stamp_ns, now_s, TF_TOLERANCE_S)
        if judgement.kind in ('next', 'turn'):
            order.accept(stamp_ns, now_s)
        return judgement.kind == 'turn' and judgement.is_back

    def clear(self) -> None:
        """Forget all times."""
        self._orders.clear()


class _OthersListener(TransformListener):
    """Hear what others say."""

    def __init__(self, tree: FrameTree, buffer: Buffer, node: Node) -> None:
        self._tree = tree
        self._times = TransformTimes()
        super().__init__(buffer, node)

    def callback(self, data: TFMessage) -> None:
        """Pass on what came on /tf from others; forget what is of another time."""
        others = [transform for transform in data.transforms if not self._tree.is_own(transform)]
        gone_back = [self._times.has_gone_back(transform) for transform in others]
        if any(gone_back):
            self._tree.forget_moving()
            self._times.clear()
        super().callback(TFMessage(transforms=others))


def listen(node: Node) -> tuple[FrameTree, TransformListener]:
    """Begin to hear /tf and /tf_static on a node; ``unregister`` ends it.

    The buffer does not get the node: it would offer a service and its own reaction to time that
    goes back, which is ``FrameTree.forget_moving`` here.
    """
    buffer = Buffer()
    tree = FrameTree(buffer)
    return tree, _OthersListener(tree, buffer, node)


def is_place(transform: np.ndarray) -> bool:
    """Tell whether a (4, 4) matrix can be sent on /tf: rigid and no farther than FARTHEST."""
    return bool(is_rigid(transform) and np.abs(transform).max() <= FARTHEST)


def matrix_of(transform: TransformStamped) -> np.ndarray:
    """Give the (4, 4) matrix parent_from_child of a transform."""
    p, q = transform.transform.translation, transform.transform.rotation
    return rigid(matrix_from_quat_xyzw(np.array([q.x, q.y, q.z, q.w])), np.array([p.x, p.y, p.z]))


def _count(counts: OrderedDict[tuple[str, str], int], pair: tuple[str, str]) -> int:
    """Read a count that begins at 0; the oldest of too many is forgotten."""
    if pair not in counts and len(counts) >= REMEMBERED:
        counts.popitem(last=False)
    return counts.get(pair, 0)


def _why_not_then(tf2_says: str) -> str:
    """Say it without tf2's times: a sentence that is new for every image cannot be throttled."""
    if 'into the future' in tf2_says:
        return 'its newest data is older than the image'
    if 'into the past' in tf2_says:
        return 'its oldest data is newer than the image'
    single = SINGLE_ENTRY.search(tf2_says)
    if single:
        side = 'older' if float(single['only']) < float(single['asked']) else 'newer'
        return (
            f'it was sent once, and that is {side} than the image: what never moves belongs to '
            f'/tf_static, what moves is sent again and again'
        )
    return 'it has no data around the time of the image'


def _bare(frame: str) -> str:
    return frame.lstrip('/')
