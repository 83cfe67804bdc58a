"""Errors on the synthetic splits, under one median scale a sequence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from stream3r_ros.evaluation.framing import four_by_three
from stream3r_ros.evaluation.inference import (
    Advance,
    CameraEstimate,
    StreamMode,
    no_progress,
    stream_estimates,
)
from stream3r_ros.geometry.accuracy import depth_accuracy, pose_accuracy
from stream3r_ros.geometry.cloud import point_grid
from stream3r_ros.geometry.rigid import invert_rigid, transform_points
from stream3r_ros.network import Stream3R
from stream3r_ros.synthetic.splits import TrueSequence, house_sequence, open_sequence

CONSTANT_DEPTH, IDENTITY_POSE = 'constant depth', 'identity pose'


@dataclass(frozen=True, eq=False)
class SequenceEstimate:
    """What is said of S frames, in any unit of length.

    `depth` (S, H, W), `world_from_camera` (S, 4, 4) in any world, `intrinsics` (S, 3, 3);
    `points` (S, H, W, 3) in the anchor's frame, None for who says nothing of points.
    """

    depth: np.ndarray
    world_from_camera: np.ndarray
    intrinsics: np.ndarray
    points: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class SequenceErrors:
    """Errors of one sequence; arrays (S - 1,) hold one value for every frame but the anchor."""

    abs_rel: float
    delta_1_25: float
    rotation_deg: np.ndarray
    translation_rel: np.ndarray
    point_head_mean_rel: float | None
    points_mean_rel: float


@dataclass(frozen=True)
class SyntheticErrors:
    """Errors over all sequences of one predictor; None for what it does not predict.

    `point_head_mean_rel` is that of the point head, `points_mean_rel` that of depth, pose and
    intrinsics together. `rotation_by_frame_deg` and `translation_by_frame_rel` are the medians at
    1, 2, ... frames from the anchor.
    """

    name: str
    abs_rel: float | None
    delta_1_25: float | None
    rotation_median_deg: float | None
    translation_median_rel: float | None
    point_head_mean_rel: float | None
    points_mean_rel: float | None
    rotation_by_frame_deg: tuple[float, ...] = ()
    translation_by_frame_rel: tuple[float, ...] = ()


@dataclass(frozen=True)
class SyntheticResult:
    """The rows of the table, the causal stream first, and the seeds of the sequences."""

    rows: tuple[SyntheticErrors, ...]
    seeds: tuple[int, ...]
    frames: int


SequenceMaker = Callable[[int, int, tuple[int, int]], TrueSequence]
"""Make the sequence of an index, with so many frames of a (height, width)."""


SPLIT_MAKERS: dict[str, SequenceMaker] = {'house': house_sequence, 'open': open_sequence}


def evaluate_synthetic(
    network: Stream3R,
    maker: SequenceMaker,
    sequences: int,
    frames: int,
    window_size: int = 5,
    advance: Advance = no_progress,
    further: Sequence[StreamMode] = (),
) -> SyntheticResult:
    """Measure causal and window streams, `further` ones, and two predictors that know nothing.

    The images have the network's own width and are 4:3. `advance` is called after every frame of
    any stream. Raises ValueError for less than one sequence or two frames.
    """
    if sequences < 1 or frames < 2:
        raise ValueError(
            f'{sequences} sequences of {frames} frames, expected at least 1 of at least 2'
        )
    image_hw = four_by_three(network.config.image_size, network.config.patch_size)
    modes = (StreamMode(), StreamMode('window', window_size), *further)
    found: dict[str, list[SequenceErrors]] = {}
    seeds = []
    for index in range(sequences):
        truth = maker(index, frames, image_hw)
        seeds.append(truth.seed)
        estimates = {str(mode): run_sequence(network, truth, mode, advance) for mode in modes}
        estimates |= _baselines(truth, estimates[str(modes[0])])
        for name, estimate in estimates.items():
            found.setdefault(name, []).append(sequence_errors(truth, estimate))
    rows = tuple(_only_its_own(summarise(name, errors)) for name, errors in found.items())
    return SyntheticResult(rows, tuple(seeds), frames)


def run_sequence(
    network: Stream3R, truth: TrueSequence, mode: StreamMode, advance: Advance = no_progress
) -> SequenceEstimate:
    """Stream the images of a sequence through the network."""
    images = (torch.from_numpy(image).permute(2, 0, 1).float() / 255 for image in truth.images)
    try:
        outputs = ('depth', 'points', 'pose')
        frames = len(truth.images)
        return _stacked(list(stream_estimates(network, images, frames, mode, outputs, advance)))
    except ValueError as error:
        raise ValueError(f'sequence {truth.seed}: {error}') from error


def sequence_errors(truth: TrueSequence, estimate: SequenceEstimate) -> SequenceErrors:
    """Measure one sequence after multiplying all lengths by one median scale.

    The scale is the median of true over predicted depth. Poses are relative to the anchor, that
    is the first frame: rotation as an angle, translation divided by the largest distance between
    two camera positions. The mean error of points in the anchor's frame is divided by the mean
    distance of the true points from the anchor.
    """
    valid = np.isfinite(truth.depth) & (truth.depth > 0)
    depth = depth_accuracy(truth.depth[valid], estimate.depth[valid])
    poses = pose_accuracy(truth.world_from_camera, estimate.world_from_camera, depth.scale)
    true_from_anchor, from_anchor = (
        invert_rigid(world_from_camera[0]) @ world_from_camera
        for world_from_camera in (truth.world_from_camera, estimate.world_from_camera)
    )
    intrinsics = np.broadcast_to(truth.intrinsics, estimate.intrinsics.shape)
    true_depth = np.where(valid, truth.depth, 0)
    true_points = anchor_points(true_depth, true_from_anchor, intrinsics)[valid]
    unprojected = anchor_points(estimate.depth, from_anchor, estimate.intrinsics)[valid]
    head = None if estimate.points is None else estimate.points[valid]
    return SequenceErrors(
        depth.abs_rel,
        depth.delta_1_25,
        poses.rotation_deg,
        poses.translation_rel,
        None if head is None else _points_error(true_points, depth.scale * head),
        _points_error(true_points, depth.scale * unprojected),
    )


def anchor_points(
    depth: np.ndarray, anchor_from_camera: np.ndarray, intrinsics: np.ndarray
) -> np.ndarray:
    """Unproject depth (S, H, W) into points (S, H, W, 3) in the anchor's frame."""
    maps = []
    for frame, pose, matrix in zip(depth, anchor_from_camera, intrinsics, strict=True):
        points = point_grid(frame, matrix, 1)
        maps.append(transform_points(pose, points.reshape(-1, 3)).reshape(points.shape))
    return np.stack(maps)


def summarise(name: str, errors: Sequence[SequenceErrors]) -> SyntheticErrors:
    """Join sequences of one length: means over sequences, medians over all their frames."""
    rotations = np.stack([one.rotation_deg for one in errors])
    translations = np.stack([one.translation_rel for one in errors])
    heads = [one.point_head_mean_rel for one in errors if one.point_head_mean_rel is not None]
    return SyntheticErrors(
        name,
        _mean(one.abs_rel for one in errors),
        _mean(one.delta_1_25 for one in errors),
        float(np.median(rotations)),
        float(np.median(translations)),
        _mean(heads) if heads else None,
        _mean(one.points_mean_rel for one in errors),
        tuple(np.median(rotations, axis=0).tolist()),
        tuple(np.median(translations, axis=0).tolist()),
    )


def _stacked(frames: Sequence[CameraEstimate]) -> SequenceEstimate:
    return SequenceEstimate(
        np.stack([frame.depth for frame in frames if frame.depth is not None]),
        np.stack([frame.world_from_camera for frame in frames]),
        np.stack([frame.intrinsics for frame in frames]),
        np.stack([frame.points for frame in frames if frame.points is not None]),
    )


def _baselines(truth: TrueSequence, network: SequenceEstimate) -> dict[str, SequenceEstimate]:
    """Predict without looking, each in one respect, so that a row tells what that respect costs.

    The constant depth is the true median, so that its median scale is 1, and is seen by the true
    cameras; the identity pose keeps the network's depth and intrinsics.
    """
    valid = truth.depth[np.isfinite(truth.depth) & (truth.depth > 0)]
    constant = np.full_like(truth.depth, np.median(valid))
    unmoved = np.broadcast_to(np.eye(4), network.world_from_camera.shape)
    intrinsics = np.broadcast_to(truth.intrinsics, network.intrinsics.shape)
    return {
        CONSTANT_DEPTH: SequenceEstimate(constant, truth.world_from_camera, intrinsics),
        IDENTITY_POSE: SequenceEstimate(network.depth, unmoved, network.intrinsics),
    }


def _only_its_own(row: SyntheticErrors) -> SyntheticErrors:
    """Take out of a baseline's row what it does not predict itself."""
    if row.name == CONSTANT_DEPTH:
        return replace(
            row,
            rotation_median_deg=None,
            translation_median_rel=None,
            rotation_by_frame_deg=(),
            translation_by_frame_rel=(),
        )
    if row.name == IDENTITY_POSE:
        return replace(row, abs_rel=None, delta_1_25=None)
    return row


def _points_error(true: np.ndarray, found: np.ndarray) -> float:
    error = np.linalg.norm(found - true, axis=-1).mean(dtype=np.float64)
    return float(error / np.linalg.norm(true, axis=-1).mean(dtype=np.float64))


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))
