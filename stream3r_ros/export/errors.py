"""Errors of a recorded stream against the truth: one table and one file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from stream3r_ros.export.files import write_bytes
from stream3r_ros.geometry.accuracy import depth_accuracy, pose_accuracy

MOST_PIXELS = 16_384


@dataclass(frozen=True, eq=False)
class ComparedFrame:
    """What was said of a frame and what is true: depths (N,) of the same N pixels, poses (4, 4).

    Either pose is that of the camera's optical frame in a world of its own.
    """

    stamp_ns: int
    depth: np.ndarray
    true_depth: np.ndarray
    world_from_camera: np.ndarray
    true_world_from_camera: np.ndarray


@dataclass(frozen=True)
class RecordedErrors:
    """Errors over all frames, with the names and definitions of `stream3r eval synthetic`.

    Lengths were multiplied by `scale`, the median of true over estimated depth. Rotation and
    translation are medians over all frames but the first; translation is a share of
    `path_extent_m`, the largest distance between two true positions.
    """

    abs_rel: float
    delta_1_25: float
    rotation_median_deg: float
    translation_median_rel: float
    frames: int
    scale: float
    path_extent_m: float


def compared_depths(
    depth: np.ndarray,
    true_depth: np.ndarray,
    intrinsics: np.ndarray,
    true_intrinsics: np.ndarray,
    most_pixels: int = MOST_PIXELS,
) -> tuple[np.ndarray, np.ndarray]:
    """Give depths (N,) and the true depths (N,) along the same rays, where both are known.

    Either depth image has the size and the intrinsics (3, 3) of its own camera image, which may
    be resized or cropped from the other's. The nearest true pixel counts, since a mean of two
    sides of an edge is the depth of nothing. Large images are sampled in equal steps.
    """
    step = max(1, int(np.ceil(np.sqrt(depth.size / most_pixels))))
    rows, columns = np.mgrid[0 : depth.shape[0] : step, 0 : depth.shape[1] : step]
    pixels = np.stack([columns, rows, np.ones_like(rows)], axis=-1)
    there = pixels @ (true_intrinsics @ np.linalg.inv(intrinsics)).T
    u, v = np.rint(there[..., :2]).astype(int).transpose(2, 0, 1)
    height, width = true_depth.shape
    inside = (u >= 0) & (u < width) & (v >= 0) & (v < height)
    true = np.where(inside, true_depth[v.clip(0, height - 1), u.clip(0, width - 1)], np.nan)
    found = depth[::step, ::step]
    known = np.isfinite(found) & np.isfinite(true) & (found > 0) & (true > 0)
    return found[known], true[known]


def recorded_errors(frames: Sequence[ComparedFrame]) -> RecordedErrors:
    """Measure frames of one stream, the anchor being the earliest of them.

    Raises ValueError for less than two frames, no depth, or a camera that stood still.
    """
    if len(frames) < 2:
        raise ValueError(f'{len(frames)} frames came with the truth, expected at least 2')
    ordered = sorted(frames, key=lambda frame: frame.stamp_ns)
    depth = depth_accuracy(
        np.concatenate([frame.true_depth for frame in ordered]),
        np.concatenate([frame.depth for frame in ordered]),
    )
    poses = pose_accuracy(
        np.stack([frame.true_world_from_camera for frame in ordered]),
        np.stack([frame.world_from_camera for frame in ordered]),
        depth.scale,
    )
    return RecordedErrors(
        depth.abs_rel,
        depth.delta_1_25,
        float(np.median(poses.rotation_deg)),
        float(np.median(poses.translation_rel)),
        len(ordered),
        depth.scale,
        poses.extent_m,
    )


def errors_table(errors: RecordedErrors) -> str:
    """Write the errors as aligned lines."""
    rows = (
        ('depth AbsRel', f'{errors.abs_rel:.3f}'),
        ('depth delta 1.25', f'{errors.delta_1_25:.3f}'),
        ('rotation to anchor, median', f'{errors.rotation_median_deg:.1f} degrees'),
        (
            'translation, median',
            f"{errors.translation_median_rel:.1%} of the path's {errors.path_extent_m:.1f} m",
        ),
    )
    title = f'  errors against the truth, {errors.frames} frames, one median scale'
    width = max(len(label) for label, _ in rows)
    return '\n'.join([title, *(f'  {label:<{width}}  {value}' for label, value in rows)])


def write_errors(path: Path | str, errors: RecordedErrors) -> None:
    """Write the errors as JSON."""
    write_bytes(path, (json.dumps(asdict(errors), indent=2) + '\n').encode())
