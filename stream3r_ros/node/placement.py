"""Where the robot is: from the network's camera poses to frames of REP-105."""

from dataclasses import dataclass, replace

import numpy as np
from builtin_interfaces.msg import Time as TimeMsg
from geometry_msgs.msg import TransformStamped
from std_msgs.msg import Header

from stream3r_ros.geometry.rigid import BODY_FROM_OPTICAL, invert_rigid, planar
from stream3r_ros.node.frames import FARTHEST, FrameNames, FrameTree, is_place
from stream3r_ros.node.messages import transform_message

STRAIGHT_UP = 0.95
"""Height of the optical axis (a unit vector) from which a camera seems to look straight up."""
TF_MODES = ('odom_to_base', 'map_to_odom', 'world_to_camera', 'none')


@dataclass(frozen=True)
class PlacementRule:
    """What the parameters ask for; ``tolerance_s`` dates map -> odom ahead, and nothing else."""

    names: FrameNames
    tf_mode: str = 'odom_to_base'
    two_d_mode: bool = False
    tolerance_s: float = 0.1

    @property
    def world_frame(self) -> str:
        """Name the frame that poses are given in."""
        return self.names.map if self.tf_mode == 'map_to_odom' else self.names.odom


@dataclass(frozen=True)
class Placed:
    """What to publish of one frame's pose.

    ``pose`` (4, 4) is child -> world, z up; ``world_from_optical`` (4, 4) places the points of
    the frame in the same world. Both are None where the place is unknown. ``child_is_optical``
    tells a camera's axes from a robot's. ``problem`` is a sentence to say once in a while,
    ``hints`` some to say once; ``new_stream`` a reason to begin a new stream with the next image,
    and nothing is published.
    """

    world_frame: str
    child_frame: str
    child_is_optical: bool = False
    pose: np.ndarray | None = None
    world_from_optical: np.ndarray | None = None
    transforms: tuple[TransformStamped, ...] = ()
    problem: str | None = None
    hints: tuple[str, ...] = ()
    new_stream: str | None = None


@dataclass(frozen=True)
class _Mount:
    """How the camera sits on the body; without a base the body is the camera, turned z up."""

    body_from_optical: np.ndarray | None = None
    has_base: bool = True
    problem: str | None = None
    hint: str = ''


class Placement:
    """Place the frames of one camera's stream.

    T_world_base(t) = T_base_optical(0) * T_cam0_camt * inverse(T_base_optical(t)): the world's
    origin is the base at the first image, level (T_odom_base(0) = 1: TF gives the base its z up,
    and so the camera its roll and pitch). The mount may move.

    An optical frame never gets two parents from here. At the start of the node the base is waited
    for (FrameTree.has_settled), without TF. A stream that began without a base publishes odom ->
    optical; once a base appears, nothing is sent and a new stream is asked for, which begins with
    odom -> base. A stream that began with a base stays with it: where TF has no answer for a
    stamp, that frame gets no pose. And a frame to which somebody else gave a parent is left to
    them.
    """

    def __init__(self, tree: FrameTree) -> None:
        self._tree = tree
        self.begin()

    def begin(self) -> None:
        """Begin a new stream, with a world of its own."""
        self._first: tuple[TimeMsg, str] | None = None
        self._frames: tuple[str, bool] | None = None  # world and has_base of this stream
        self._world_from_first: np.ndarray | None = None
        self._last: tuple[np.ndarray, np.ndarray] | None = None  # first and world from camera

    def rescale(self, ratio: float) -> None:
        """Go on from the last pose with lengths that are ``ratio`` times what they were.

        The pose of the camera stays where it was published, and the way from there on is in the
        new unit. Of cameras that share the world it is the first one's.
        """
        if self._world_from_first is None or self._last is None:
            return
        first_from_camera, world_from_optical = self._last
        first_from_camera = first_from_camera.copy()
        first_from_camera[:3, 3] *= ratio
        self._world_from_first = world_from_optical @ invert_rigid(first_from_camera)

    def place(
        self, stamp: TimeMsg, optical: str, first_from_camera: np.ndarray, rule: PlacementRule
    ) -> Placed:
        """Place a frame by its pose (4, 4) among the stream's optical axes, already scaled."""
        nowhere = Placed(rule.world_frame, rule.names.base)
        problem = _bad_input(stamp, optical, first_from_camera, rule)
        if problem:
            return replace(nowhere, problem=problem)
        self._first = self._first or (stamp, optical)
        mount = self._mount(stamp, optical, rule)
        if mount.body_from_optical is None:
            return replace(nowhere, problem=mount.problem)
        frames = rule.world_frame, mount.has_base
        if self._frames not in (None, frames):
            return self._elsewhere(nowhere, optical, frames, rule)
        self._frames = frames
        if self._world_from_first is None:
            self._world_from_first = self._anchor(mount, first_from_camera, rule)
        return self._placed(stamp, optical, first_from_camera, mount, rule)

    def _mount(self, stamp: TimeMsg, optical: str, rule: PlacementRule) -> _Mount:
        base = rule.names.base
        if rule.tf_mode == 'world_to_camera':
            return _Mount(BODY_FROM_OPTICAL, has_base=False)
        answer = self._tree.lookup(base, optical, stamp)
        if answer.matrix is not None:
            return _Mount(answer.matrix)
        way = f'from frames.base {base!r} to the camera {optical!r}'
        if not answer.absent or self._frames == (rule.world_frame, True):
            return _Mount(problem=f'no pose: TF has no transform {way}: {answer.reason}')
        missing = f'TF knows no way {way}: publish one or set frames.base'
        if not self._tree.has_settled:
            return _Mount()  # it may come: nothing to say yet
        alone = _Mount(BODY_FROM_OPTICAL, has_base=False)
        if rule.tf_mode == 'map_to_odom':
            return replace(alone, problem=f'{missing}; until then no TF is sent')
        if rule.tf_mode != 'none':
            missing += f'; until then {rule.names.odom!r} -> {optical!r} is sent'
        return replace(alone, hint=missing)

    def _elsewhere(
        self, nowhere: Placed, optical: str, frames: tuple[str, bool], rule: PlacementRule
    ) -> Placed:
        """Ask for a new stream where this one's frames are no longer the right ones.

        Only its first camera can ask for a base: a second one, of which TF knows more, would
        ask again and again.
        """
        gained_base = self._frames == (rule.world_frame, False) and frames[1]
        if gained_base and optical != self._first[1]:
            return replace(nowhere, problem=f'no pose: {self._first[1]!r} has no base as yet')
        reason = f'tf.mode became {rule.tf_mode}'
        if gained_base:
            reason = f'TF now has frames.base {rule.names.base!r}'
        self._frames = self._world_from_first = None
        return replace(nowhere, new_stream=reason)

    def _anchor(
        self, mount: _Mount, first_from_camera: np.ndarray, rule: PlacementRule
    ) -> np.ndarray:
        """Give T_world_cam0 (4, 4).

        A mount that became known after the first image is asked for that image's stamp. Where TF
        cannot say, the world's origin is the base of the first image that has one.
        """
        assert self._first is not None and mount.body_from_optical is not None
        if not mount.has_base:
            return BODY_FROM_OPTICAL
        stamp, optical = self._first
        first = self._tree.lookup(rule.names.base, optical, stamp)
        if first.matrix is not None:
            return first.matrix
        return mount.body_from_optical @ invert_rigid(first_from_camera)

    def _placed(
        self,
        stamp: TimeMsg,
        optical: str,
        first_from_camera: np.ndarray,
        mount: _Mount,
        rule: PlacementRule,
    ) -> Placed:
        world_from_body = (
            self._world_from_first @ first_from_camera @ invert_rigid(mount.body_from_optical)
        )
        if rule.two_d_mode:
            world_from_body = planar(world_from_body)
        world_from_optical = world_from_body @ mount.body_from_optical
        assert self._first is not None
        if self._last is None or optical == self._first[1]:
            self._last = first_from_camera, world_from_optical
        placed = Placed(
            rule.world_frame,
            rule.names.base if mount.has_base else optical,
            not mount.has_base,
            world_from_body if mount.has_base else world_from_optical,
            world_from_optical,
            problem=mount.problem,
            hints=tuple(filter(None, (mount.hint, self._hint(optical, mount, rule.names)))),
        )
        return self._with_transform(placed, stamp, rule)

    def _hint(self, optical: str, mount: _Mount, names: FrameNames) -> str:
        """Warn of images that name the camera's body, as many drivers and simulators do.

        Its axes are x forward and z up (REP-103), and the way of the robot would be turned.
        """
        if names.camera:
            return ''
        if mount.has_base and mount.body_from_optical[2, 2] > STRAIGHT_UP:
            why = f'by which the camera looks straight up from {names.base!r}'
        elif optical.endswith('_link'):
            why = 'whose name is that of a body (x forward, z up)'
        else:
            return ''
        known = self._tree.optical_frames()
        instead = f'such as {known[0]!r}' if known else 'whose z axis points forward (REP-103)'
        return (
            f"images name the frame {optical!r}, {why}: set frames.camera to the camera's optical "
            f'frame, {instead}'
        )

    def _with_transform(self, placed: Placed, stamp: TimeMsg, rule: PlacementRule) -> Placed:
        if rule.tf_mode == 'none':
            return placed
        if rule.tf_mode == 'map_to_odom':
            transform, problem = self._map_to_odom(placed, stamp, rule)
        else:
            header = Header(stamp=stamp, frame_id=placed.world_frame)
            transform = transform_message(header, placed.child_frame, placed.pose)
            problem = None
        problem = problem or self._other_parent(transform, rule.names)
        if problem:
            return replace(placed, problem=problem)
        if placed.child_is_optical:
            self._tree.remember_own(transform.header.frame_id, transform.child_frame_id)
        return replace(placed, transforms=(transform,))

    def _map_to_odom(
        self, placed: Placed, stamp: TimeMsg, rule: PlacementRule
    ) -> tuple[TransformStamped | None, str | None]:
        names = rule.names
        if placed.child_is_optical:
            return None, placed.problem or f'no {names.map!r} -> {names.odom!r} without a base'
        answer = self._tree.lookup(names.odom, names.base, stamp)
        if answer.matrix is None:
            return None, (
                f'no {names.map!r} -> {names.odom!r}: tf.mode map_to_odom needs frames.odom '
                f'{names.odom!r} -> frames.base {names.base!r} in TF: {answer.reason}'
            )
        odom_from_base = planar(answer.matrix) if rule.two_d_mode else answer.matrix
        map_from_odom = placed.pose @ invert_rigid(odom_from_base)
        header = Header(stamp=later(stamp, rule.tolerance_s), frame_id=names.map)
        return transform_message(header, names.odom, map_from_odom), None

    def _other_parent(self, transform: TransformStamped, names: FrameNames) -> str | None:
        parent, child = transform.header.frame_id, transform.child_frame_id
        other = self._tree.parent_of(child)
        if other in (None, parent):
            return None
        root = self._tree.root_of(child)
        advice = f'with tf.mode odom_to_base, set frames.base to {root!r}, the root of its tree'
        if root in (names.map, names.odom):
            advice = 'somebody else places it already, so set tf.mode to map_to_odom or none'
        return f'no {parent!r} -> {child!r}: in TF its one parent is {other!r}; {advice}'


def later(stamp: TimeMsg, seconds: float) -> TimeMsg:
    """Move a stamp; whole nanoseconds all the way."""
    total = stamp.sec * 10**9 + stamp.nanosec + round(seconds * 1e9)
    sec, nanosec = divmod(total, 10**9)
    return TimeMsg(sec=min(sec, 2**31 - 1), nanosec=nanosec)


def _bad_input(
    stamp: TimeMsg, optical: str, first_from_camera: np.ndarray, rule: PlacementRule
) -> str | None:
    if stamp.sec < 0 or stamp.nanosec >= 10**9:
        found = f'{stamp.sec} s and {stamp.nanosec} ns'
        return f'no pose: the stamp of the image is {found}, expected no less than 0 s'
    names = rule.names
    others = [names.map, names.odom, *([names.base] if rule.tf_mode != 'world_to_camera' else [])]
    if optical in others:
        return (
            f'no pose: the frame of the image is {optical!r}, which has no optical axes; set '
            f"frames.camera to the camera's optical frame"
        )
    if not is_place(first_from_camera):
        return f'no pose: the network gave one that is not rigid or not within {FARTHEST:g}'
    return None
