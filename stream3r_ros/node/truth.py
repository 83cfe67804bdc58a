"""Pair what the node says of a frame with what the player knows to be true of it."""

from dataclasses import dataclass

import numpy as np
from geometry_msgs.msg import PoseStamped, PoseWithCovarianceStamped
from sensor_msgs.msg import CameraInfo, Image

from stream3r_ros.export.errors import (
    ComparedFrame,
    RecordedErrors,
    compared_depths,
    recorded_errors,
)
from stream3r_ros.msg import StreamStatus
from stream3r_ros.node.heard import Pending, depth_array, pose_matrix, stamp_ns
from stream3r_ros.viewing.thinning import Thinned

PENDING_FRAMES = 30
MOST_FRAMES = 256
TRUE_POSE, TRUE_DEPTH = 'stream3r_player/true_pose', 'stream3r_player/true_depth'


@dataclass(frozen=True, eq=False)
class Heard:
    """All messages of one stamp."""

    status: StreamStatus
    pose: PoseWithCovarianceStamped
    depth: Image
    depth_info: CameraInfo
    camera_info: CameraInfo
    true_pose: PoseStamped
    true_depth: Image


PARTS = tuple(Heard.__dataclass_fields__)


class TruthRecord:
    """Frames of the present stream whose truth is known; a new stream begins anew.

    Of long streams MOST_FRAMES frames are kept, evenly spread, each with at most MOST_PIXELS
    depths: under 40 MB. Frames whose intrinsics the network predicted are left out, since nobody
    says which pixel of the camera image theirs are.
    """

    def __init__(self) -> None:
        self._waiting = {part: Pending(PENDING_FRAMES) for part in PARTS}
        self._frames: Thinned[ComparedFrame] = Thinned(MOST_FRAMES)
        self._stream = 0, 0

    def put(self, part: str, message) -> None:
        """Hear one of PARTS; the last one of a stamp completes the frame."""
        self._waiting[part].put(message)
        stamp = stamp_ns(message)
        heard = {name: pending.get(stamp) for name, pending in self._waiting.items()}
        if all(each is not None for each in heard.values()):
            for pending in self._waiting.values():
                pending.pop(stamp)
            self._add(stamp, Heard(**heard))

    def errors(self) -> RecordedErrors:
        """Measure the frames; ValueError when there is nothing to measure."""
        return recorded_errors(self._frames.items)

    def _add(self, stamp: int, heard: Heard) -> None:
        stream = heard.status.stream, heard.status.segment
        if stream != self._stream:
            self._stream = stream
            self._frames.clear()
        if heard.status.intrinsics_source == 'camera_info':
            self._frames.add(compared(stamp, heard))


def compared(stamp: int, heard: Heard) -> ComparedFrame:
    """Sample the true depth where the estimated one has its pixels."""
    depth, true_depth = compared_depths(
        depth_array(heard.depth),
        depth_array(heard.true_depth),
        np.reshape(heard.depth_info.k, (3, 3)),
        np.reshape(heard.camera_info.k, (3, 3)),
    )
    return ComparedFrame(
        stamp, depth, true_depth,
        pose_matrix(heard.pose.pose.pose), pose_matrix(heard.true_pose.pose),
    )  # fmt: skip
