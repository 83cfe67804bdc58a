"""What a source of metric scale is shown, and what it tells."""

from dataclasses import dataclass

import numpy as np
from builtin_interfaces.msg import Time as TimeMsg

from stream3r_ros.geometry.scale import LogScale
from stream3r_ros.streaming import FrameEstimate


@dataclass(frozen=True, eq=False)
class ScaleFrame:
    """A frame in the network's unit: its stamp, its frames, its camera matrix (3, 3)."""

    stamp: TimeMsg
    image_frame: str  # as the image named it
    optical: str  # as it is published
    base: str  # the robot's, for an odometry that does not name it
    estimate: FrameEstimate
    network_matrix: np.ndarray

    @property
    def stamp_ns(self) -> int:
        """Give the stamp in nanoseconds."""
        return self.stamp.sec * 10**9 + self.stamp.nanosec


@dataclass(frozen=True)
class Told:
    """What a source knows after a frame.

    ``is_heard``: some message was of use. ``newest``: the estimate if it changed. ``problem``:
    a sentence to say once in a while, or empty.
    """

    is_heard: bool = False
    newest: LogScale | None = None
    problem: str = ''
