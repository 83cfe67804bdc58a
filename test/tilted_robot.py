"""A robot whose camera is pitched down, and its drive, computed by hand."""

import numpy as np
import tf2_ros
from tf_buffers import buffer_of, stamp, transform

from stream3r_ros.node.frames import FrameNames, FrameTree, matrix_of
from stream3r_ros.node.placement import Placement, PlacementRule

NAMES = FrameNames()
FIRST = np.eye(4)
S, C = np.sin(np.radians(20)), np.cos(np.radians(20))

# A camera 0.3 m ahead of the base and 0.5 m above it, pitched down by 20 degrees. The columns are
# its right, down and forward in the axes of the base.
TILTED = np.array([
    [0, -S, C, 0.3],
    [-1, 0, 0, 0.0],
    [0, -C, -S, 0.5],
    [0, 0, 0, 1.0],
])  # fmt: skip

# The robot drives 1 m ahead and turns left by 90 degrees. Its camera goes from (0.3, 0, 0.5) to
# (1, 0.3, 0.5), by (0.7, 0.3, 0). Its new right, down and forward are (1, 0, 0), (0, -S, -C) and
# (0, C, -S). Here they are in terms of the old ones: (0, -1, 0), (-S, 0, -C) and (C, 0, -S).
CAMERA_MOTION = np.array([
    [0, S, -C, -0.3],
    [-S, C * C, S * C, -0.7 * S],
    [C, S * C, S * S, 0.7 * C],
    [0, 0, 0, 1.0],
])  # fmt: skip
ROBOT_MOTION = np.array([[0, -1, 0, 1.0], [1, 0, 0, 0.0], [0, 0, 1, 0.0], [0, 0, 0, 1.0]])


def settled(buffer):
    """Give a tree that has listened for long."""
    now = iter([0.0])
    return FrameTree(buffer, clock=lambda: next(now, 1e6))


def tilted_robot(*moving):
    """Give the placement on a robot with the tilted camera, and what else TF has heard."""
    return Placement(settled(buffer_of(*moving, static=[transform('base_link', 'eye', TILTED)])))


def nobody():
    """Give the placement where TF has heard nothing."""
    return Placement(settled(tf2_ros.Buffer()))


def rule(tf_mode='odom_to_base', two_d_mode=False, tolerance_s=0.1):
    """Ask for a mode, with the default names."""
    return PlacementRule(NAMES, tf_mode, two_d_mode, tolerance_s)


def after_first(placement, pose, asked, seconds=2):
    """Place a first image at 1 s, and then another."""
    placement.place(stamp(1), 'eye', FIRST, asked)
    return placement.place(stamp(seconds), 'eye', pose, asked)


def only(placed):
    """Give parent, child, matrix and stamp of the one transform that is sent."""
    assert len(placed.transforms) == 1, placed.problem
    sent = placed.transforms[0]
    return sent.header.frame_id, sent.child_frame_id, matrix_of(sent), sent.header.stamp
