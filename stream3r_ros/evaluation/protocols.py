"""Run a network over a sequence of a data set and measure it as the field does."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from torch import Tensor

from stream3r_ros.evaluation.datasets import DatasetSequence
from stream3r_ros.evaluation.framing import (
    FramedView,
    four_by_three,
    frame_view,
    measured_window,
)
from stream3r_ros.evaluation.inference import (
    Advance,
    StreamMode,
    no_progress,
    stream_estimates,
)
from stream3r_ros.evaluation.reconstruction import (
    PointMaps,
    ReconstructionErrors,
    reconstruction_errors,
)
from stream3r_ros.evaluation.registration import Registration
from stream3r_ros.evaluation.synthetic import anchor_points
from stream3r_ros.evaluation.trajectory import TrajectoryErrors, trajectory_errors
from stream3r_ros.evaluation.video_depth import DepthErrors, depth_errors
from stream3r_ros.images import prepare
from stream3r_ros.network import Stream3R


def measure_reconstruction(
    network: Stream3R,
    sequence: DatasetSequence,
    mode: StreamMode,
    registration: Registration,
    size: int | None = None,
    advance: Advance = no_progress,
) -> ReconstructionErrors:
    """Measure points unprojected from depth, pose and intrinsics, 518 x 392 at the full size.

    A stream gives what one batch call in its mode gives. `size` is the network image's width,
    its own unless given. Memory: every pixel's true and predicted point.
    """
    size, patch = size or network.config.image_size, network.config.patch_size
    views = [_view(sequence, index, four_by_three(size, patch)) for index in _indices(sequence)]
    estimates = list(
        stream_estimates(
            network,
            (view.image for view in views),
            len(views),
            mode,
            ('depth', 'pose'),
            advance,
        )
    )
    poses = np.stack([one.world_from_camera for one in estimates])
    depth = np.stack([one.depth for one in estimates if one.depth is not None])
    points = anchor_points(depth, poses, np.stack([one.intrinsics for one in estimates]))
    true_depth = np.stack([view.depth_m for view in views])
    true_poses = sequence.world_from_camera()
    true_points = anchor_points(
        true_depth, true_poses, np.stack([view.intrinsics for view in views])
    )
    return reconstruction_errors(
        PointMaps(true_points, true_poses[0]),
        PointMaps(points, poses[0]),
        np.isfinite(true_depth),
        measured_window(size),
        registration,
    )


def measure_depth(
    network: Stream3R,
    sequence: DatasetSequence,
    mode: StreamMode,
    alignment: str,
    cap_m: float | None = None,
    size: int | None = None,
    advance: Advance = no_progress,
) -> DepthErrors:
    """Measure the depth of a video at the size of the true depth, under one alignment."""
    true, found = [], []
    images = _prepared(network, sequence, size)
    outputs = ('depth', 'pose')
    for index, estimate in enumerate(
        stream_estimates(network, images, len(sequence.frames), mode, outputs, advance)
    ):
        assert estimate.depth is not None
        depth_m = sequence.depth_m(index)
        resized = cv2.resize(estimate.depth, depth_m.shape[::-1], interpolation=cv2.INTER_CUBIC)
        # Sparse depth is kept sparse: a video of it is much smaller than its images.
        valid = np.isfinite(depth_m) & (depth_m > 0)
        true.append(depth_m[valid])
        found.append(resized[valid])
    return depth_errors(np.concatenate(true), np.concatenate(found), alignment, cap_m)


def measure_pose(
    network: Stream3R,
    sequence: DatasetSequence,
    mode: StreamMode,
    size: int | None = None,
    advance: Advance = no_progress,
) -> TrajectoryErrors:
    """Measure the trajectory of the camera."""
    images = _prepared(network, sequence, size)
    frames = len(sequence.frames)
    estimates = stream_estimates(network, images, frames, mode, ('pose',), advance)
    poses = np.stack([one.world_from_camera for one in estimates])
    return trajectory_errors(sequence.world_from_camera(), poses)


def _prepared(network: Stream3R, sequence: DatasetSequence, size: int | None) -> Iterator[Tensor]:
    """Fit whole images to the network; none of these data sets has images that are cropped."""
    config = network.config
    for index in _indices(sequence):
        image_rgb = sequence.image_rgb(index)
        yield prepare(image_rgb, size or config.image_size, 'stretch', config.patch_size)[0]


def _view(sequence: DatasetSequence, index: int, target_hw: tuple[int, int]) -> FramedView:
    assert sequence.intrinsics is not None
    image_rgb, depth_m = sequence.image_rgb(index), sequence.depth_m(index)
    try:
        return frame_view(image_rgb, depth_m, sequence.intrinsics, target_hw)
    except ValueError as error:
        raise ValueError(f'{sequence.frames[index].image}: {error}') from error


def _indices(sequence: DatasetSequence) -> range:
    return range(len(sequence.frames))
