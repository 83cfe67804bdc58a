"""Join two groups of frames that share some: a similarity from the points of the shared pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from stream3r_ros.geometry.cloud import point_grid
from stream3r_ros.geometry.rigid import transform_points
from stream3r_ros.geometry.scale import smooth_pixels
from stream3r_ros.geometry.similarity import Fit, robust_similarity

if TYPE_CHECKING:
    from stream3r_ros.streaming.image_stream import FrameEstimate

MOST_PAIRS = 20_000
LEAST_CONFIDENCE = 0.1
"""Of the smaller of the two median confidences."""


def join(old: Sequence[FrameEstimate], new: Sequence[FrameEstimate]) -> Fit:
    """Give old_from_new of the worlds of two groups, from the frames of both, in the same order.

    The same pixel of the same image has a point in each. Raises ValueError with a sentence where
    they do not agree.
    """
    pairs = [_pairs(*both) for both in zip(old, new, strict=True)]
    source, target, weights = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
    every = -(-len(source) // MOST_PAIRS) or 1
    origin = old[0].world_from_camera[:3, 3]
    return robust_similarity(source[::every], target[::every], weights[::every], origin)


def _pairs(old: FrameEstimate, new: FrameEstimate) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give new points (N, 3), old points (N, 3) and weights (N,) of the pixels that count."""
    assert old.confidence is not None and new.confidence is not None
    medians = np.median(old.confidence), np.median(new.confidence)
    least = LEAST_CONFIDENCE * min(medians)
    used = (old.confidence > least) & (new.confidence > least) & old.mapping.image_mask()
    for one in (old, new):
        assert one.depth is not None
        used &= smooth_pixels(one.depth)
    weights = np.sqrt(old.confidence[used] * new.confidence[used])
    return _points(new)[used], _points(old)[used], weights


def _points(estimate: FrameEstimate) -> np.ndarray:
    """Give points (H, W, 3) in the estimate's world, NaN without depth."""
    assert estimate.depth is not None
    in_camera = point_grid(estimate.depth, estimate.intrinsics, 1).astype(np.float64)
    in_world = transform_points(estimate.world_from_camera, in_camera.reshape(-1, 3))
    return in_world.reshape(in_camera.shape)
