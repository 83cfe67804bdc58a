"""The way between two frames, walked as tf2 walks it."""

from collections.abc import Mapping

from tf2_ros.cache import FrameCache
from tf2_ros.exceptions import (
    ConnectivityException,
    ExtrapolationException,
    LookupException,
)
from tf2_ros.motion import STILL, Motion

MAX_DEPTH = 1000  # of the tree, as in tf2: more means a loop

Frames = Mapping[str, FrameCache]


def walk(frames: Frames, target: str, source: str, stamp_ns: int) -> Motion:
    """Give target_from_source of two different frames at a time, 0 being each frame's newest.

    Missing data above the source is no error where the walk up from the target gets there too.
    """
    top, top_from_source, missing = _climb(frames, source, target, stamp_ns)
    if top == target:
        return top_from_source
    end, end_from_target, missing_again = _climb(frames, target, top, stamp_ns, source)
    if end == source:
        return end_from_target.inverse()
    if end == top:
        return end_from_target.inverse().after(top_from_source)
    error = missing_again or missing
    if error is None:
        raise _unconnected(target, source)
    raise ExtrapolationException(
        f'{error}, when looking up transform from frame [{source}] to frame [{target}]'
    )


def latest_common_ns(frames: Frames, target: str, source: str) -> int:
    """Give the newest time (ns) that all moving frames between have, or 0 if none moves."""
    if source == target:
        return frames[source].newest_ns if source in frames else 0
    steps = _latest_steps(frames, source, target)
    if steps and steps[-1][1] == target:
        return _oldest(steps)
    parents = {parent for _, parent in steps}
    others = _latest_steps(frames, target, source, parents)
    end = others[-1][1] if others else target
    if end == source and end not in parents:
        return _oldest(others)
    if end not in parents or not others:
        raise _unconnected(target, source)
    shared = [parent for _, parent in steps].index(end)
    return _oldest([*others, *steps[: shared + 1]])


def _climb(
    frames: Frames, frame: str, stop: str, stamp_ns: int, also: str = ''
) -> tuple[str, Motion, ExtrapolationException | None]:
    """Walk up to `stop` or `also`, to the root, or to the first frame without data.

    Gives that frame, its pose of the frame begun with, and why the walk went no farther.
    """
    top_from_frame = STILL
    for _ in range(MAX_DEPTH + 1):
        if frame in (stop, also) or frame not in frames:
            return frame, top_from_frame, None
        try:
            sample = frames[frame].at(stamp_ns)
        except ExtrapolationException as error:
            return frame, top_from_frame, error
        top_from_frame = sample.motion.after(top_from_frame)
        frame = sample.parent
    raise _loop()


def _latest_steps(
    frames: Frames, frame: str, stop: str, meeting: frozenset[str] | set[str] = frozenset()
) -> list[tuple[int, str]]:
    """List newest time (0: static) and parent on the way up, to `stop`, `meeting` or the root."""
    steps: list[tuple[int, str]] = []
    while frame in frames and frames[frame].samples:
        if len(steps) > MAX_DEPTH:
            raise _loop()
        steps.append((frames[frame].newest_ns, frames[frame].at(0).parent))
        frame = steps[-1][1]
        if frame == stop or frame in meeting:
            break
    return steps


def _oldest(steps: list[tuple[int, str]]) -> int:
    return min((stamp_ns for stamp_ns, _ in steps if stamp_ns), default=0)


def _unconnected(target: str, source: str) -> ConnectivityException:
    return ConnectivityException(
        f"Could not find a connection between '{target}' and '{source}' because they are not "
        'part of the same tree.Tf has two or more unconnected trees.'
    )


def _loop() -> LookupException:
    return LookupException('The tf tree is invalid because it contains a loop.')
