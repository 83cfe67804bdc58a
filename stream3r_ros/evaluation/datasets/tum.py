"""TUM RGB-D: the dynamic sequences of freiburg3.

ROOT/rgbd_dataset_freiburg3_walking_xyz/{rgb.txt,groundtruth.txt,rgb/}. Also what Bonn shares with
it: lists of `seconds file` or `seconds tx ty tz qx qy qz qw`.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np

from stream3r_ros.evaluation.datasets.sequence import (
    DatasetError,
    DatasetSequence,
    FrameFiles,
    choose,
    require_files,
    require_frames,
)
from stream3r_ros.geometry.rigid import matrix_from_quat_xyzw, rigid

NAME = 'TUM RGB-D'
SEQUENCES = tuple(
    f'rgbd_dataset_freiburg3_{who}_{how}'
    for who in ('sitting', 'walking')
    for how in ('halfsphere', 'rpy', 'static', 'xyz')
)
FRAMES, STRIDE = 90, 3
FARTHEST_STAMP_S = 0.02


def tum(root: Path, only: Collection[str] | None = None) -> list[DatasetSequence]:
    """Find the eight sequences: 90 frames, every third of those with a pose within 20 ms.

    Raises DatasetError naming what is missing.
    """
    folders = [root / name for name in choose(NAME, SEQUENCES, only)]
    lists = [folder / name for folder in folders for name in ('rgb.txt', 'groundtruth.txt')]
    require_files(NAME, root, lists)
    return [_sequence(root, folder) for folder in folders]


def _sequence(root: Path, folder: Path) -> DatasetSequence:
    images = read_file_list(folder / 'rgb.txt')
    pose_stamps_s, poses = read_pose_list(folder / 'groundtruth.txt')
    nearest = nearest_stamps(np.array(list(images)), pose_stamps_s)
    frames = tuple(
        FrameFiles(folder / name, None, poses[row])
        for name, row in zip(images.values(), nearest, strict=True)
        if row >= 0
    )[: FRAMES * STRIDE : STRIDE]
    if not frames:
        raise DatasetError(f'{folder}: no image of rgb.txt has a pose within 20 ms')
    require_frames(NAME, root, frames)
    return DatasetSequence(folder.name, frames)


def read_file_list(path: Path) -> dict[float, str]:
    """Read the file names of a list by their stamps in seconds, in the order of time."""
    rows = [line.split() for line in _lines(path)]
    try:
        files = {float(row[0]): row[1] for row in rows}
    except (IndexError, ValueError) as error:
        raise DatasetError(f'{path} has a line that is no `seconds file`') from error
    return dict(sorted(files.items()))


def read_pose_list(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read stamps (N,) in seconds and poses (N, 4, 4), world from camera, in the order of time."""
    try:
        rows = np.array([line.split() for line in _lines(path)], float).reshape(-1, 8)
    except ValueError as error:
        raise DatasetError(
            f'{path} has a line that is no `seconds tx ty tz qx qy qz qw`'
        ) from error
    rows = rows[np.argsort(rows[:, 0], kind='stable')]
    return rows[:, 0], rigid(matrix_from_quat_xyzw(rows[:, 4:]), rows[:, 1:4])


def nearest_stamps(stamps_s: np.ndarray, others_s: np.ndarray) -> np.ndarray:
    """Give, for each stamp, the row of the nearest of sorted others, -1 beyond 20 ms."""
    if not len(others_s):
        return np.full(len(stamps_s), -1)
    after = np.clip(np.searchsorted(others_s, stamps_s), 1, max(len(others_s) - 1, 1))
    after = np.minimum(after, len(others_s) - 1)
    before = np.maximum(after - 1, 0)
    is_before = np.abs(stamps_s - others_s[before]) <= np.abs(others_s[after] - stamps_s)
    nearest = np.where(is_before, before, after)
    return np.where(np.abs(others_s[nearest] - stamps_s) <= FARTHEST_STAMP_S, nearest, -1)


def _lines(path: Path) -> list[str]:
    lines = (line.strip() for line in path.read_text().splitlines())
    return [line for line in lines if line and not line.startswith('#')]
