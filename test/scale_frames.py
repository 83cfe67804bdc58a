"""Frames whose unit is known, and rubbish, for tests of metric scale."""

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from tf_buffers import stamp
from tilted_robot import FIRST

from stream3r_ros.images import plan_mapping
from stream3r_ros.node.scale_source import ScaleFrame
from stream3r_ros.node.scale_state import ScaleRule
from stream3r_ros.streaming import FrameEstimate

FACTOR = 2.5
BY_ODOMETRY, BY_DEPTH = ScaleRule('odometry'), ScaleRule('depth')
HW = (24, 32)
MATRIX = np.array([[30.0, 0, 16], [0, 30, 12], [0, 0, 1]])


thorough = settings(max_examples=200, derandomize=True, deadline=None, database=None)
anything = st.floats() | st.sampled_from([0.0, -1e308, 1e308])


def frame(seconds, world_from_camera=FIRST, depth=None) -> ScaleFrame:
    """Give a frame of the camera 'eye'; its depth is 2 units unless it is given."""
    depth = np.full(HW, 2.0, np.float32) if depth is None else depth
    estimate = FrameEstimate(
        plan_mapping(HW, 28), np.zeros((*HW, 3), np.uint8), depth, np.full(HW, 5.0, np.float32),
        np.isfinite(depth), world_from_camera, MATRIX,
    )  # fmt: skip
    return ScaleFrame(stamp(seconds), 'eye', 'eye', 'base_link', estimate, MATRIX)
