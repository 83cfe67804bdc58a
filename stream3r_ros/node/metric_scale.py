"""The metric scale of one world: what its cameras hear of it, and what holds for a frame."""

from dataclasses import replace

import numpy as np

from stream3r_ros.geometry.depth_filter import DepthFilter
from stream3r_ros.node.frames import FrameTree, is_place
from stream3r_ros.node.scale_from_depth import DepthScale, HeardDepth
from stream3r_ros.node.scale_from_odometry import HeardOdometry, OdometryScale
from stream3r_ros.node.scale_source import ScaleFrame
from stream3r_ros.node.scale_state import Scale, ScaleRule, ScaleState
from stream3r_ros.streaming import FrameEstimate

Heard = HeardOdometry | HeardDepth


class MetricScale:
    """Find the scale of a world that one or several cameras share; each may tell what it is.

    Belongs to the inference thread; what was heard is left by others in HeardOdometry and
    HeardDepth.
    """

    def __init__(self, tree: FrameTree, rule: ScaleRule) -> None:
        self._tree = tree
        self._state = ScaleState(rule)
        self._sources: dict[Heard, OdometryScale | DepthScale] = {}

    def begin(self, rule: ScaleRule) -> None:
        """Begin a new stream: the network's unit is another one."""
        self._state.begin(rule)
        self._sources.clear()

    @property
    def now(self) -> Scale:
        """Give the scale of the next frame."""
        return self._state.scale

    def look(
        self, frame: ScaleFrame, heard: Heard | None, rule: ScaleRule, tolerance_s: float
    ) -> tuple[float, str]:
        """Learn from a frame once it is published.

        Gives the factor by which lengths change with the next frame, 1.0 for none, and a sentence
        about what is missing, or ''.
        """
        if heard is None or not is_place(frame.estimate.world_from_camera):
            return 1.0, ''
        before = self.now.factor
        told = self._source(heard, tolerance_s).look(frame, rule)
        if not self._state.update(rule, frame.stamp_ns, told.is_heard, told.newest):
            return 1.0, told.problem
        return self.now.factor / before, told.problem

    def _source(self, heard: Heard, tolerance_s: float) -> OdometryScale | DepthScale:
        if heard not in self._sources:
            self._sources[heard] = (
                OdometryScale(self._tree, heard)
                if isinstance(heard, HeardOdometry)
                else DepthScale(heard, round(tolerance_s * 1e9))
            )
        return self._sources[heard]


def in_metres(estimate: FrameEstimate, factor: float) -> FrameEstimate:
    """Multiply all lengths of a frame, depth and pose together."""
    if factor == 1.0:
        return estimate
    pose = estimate.world_from_camera.copy()
    pose[:3, 3] *= factor
    depth = None if estimate.depth is None else estimate.depth * np.float32(factor)
    return replace(estimate, depth=depth, world_from_camera=pose)


def in_units(limits: DepthFilter, factor: float) -> DepthFilter:
    """Turn limits in metres into limits of what the network says."""
    return replace(
        limits, min_depth=limits.min_depth / factor, max_depth=limits.max_depth / factor
    )
