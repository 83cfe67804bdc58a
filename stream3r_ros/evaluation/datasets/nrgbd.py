"""NRGBD, the synthetic scenes of Neural RGB-D Surface Reconstruction.

ROOT/kitchen/images/img0.png, ROOT/kitchen/depth/depth0.png and ROOT/kitchen/poses.txt, four lines
of a 4 x 4 matrix a frame, world from camera in OpenGL axes.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from pathlib import Path

import numpy as np

from stream3r_ros.evaluation.datasets.sequence import (
    DatasetError,
    DatasetSequence,
    FrameFiles,
    choose,
    numbered,
    pinhole_matrix,
    read_depth_png,
    read_numbers,
    require_files,
    require_frames,
)

NAME = 'NRGBD'
SCENES = (
    'breakfast_room',
    'complete_kitchen',
    'green_room',
    'grey_white_room',
    'kitchen',
    'morning_apartment',
    'staircase',
    'thin_geometry',
    'whiteroom',
)
MOST_STRIDE = 500
INTRINSICS = pinhole_matrix(554.2562584220408, 554.2562584220408, 320, 240)
MOST_M = 10.0


def nrgbd(
    root: Path, only: Collection[str] | None = None, stride: int | None = None
) -> list[DatasetSequence]:
    """Find every scene, with a stride of min(500, N // 2) frames unless one is given.

    A frame whose pose is not finite is left out. Raises DatasetError naming what is missing.
    """
    scenes = choose(NAME, SCENES, only)
    require_files(NAME, root, [root / scene / 'poses.txt' for scene in scenes])
    return [_sequence(root, root / scene, stride) for scene in scenes]


def _sequence(root: Path, folder: Path, stride: int | None) -> DatasetSequence:
    images = numbered(folder / 'images', 'img*.png')
    if not images:
        require_files(NAME, root, [folder / 'images' / 'img0.png'])
    poses = _poses(folder / 'poses.txt', len(images))
    step = stride or min(MOST_STRIDE, max(len(images) // 2, 1))
    frames = tuple(
        FrameFiles(image, folder / 'depth' / image.name.replace('img', 'depth', 1), pose)
        for image, pose in list(zip(images, poses, strict=True))[::step]
        if np.isfinite(pose).all()
    )
    if not frames:
        raise DatasetError(f'{folder / "poses.txt"} has no finite pose for the frames taken')
    require_frames(NAME, root, frames)
    read = partial(read_depth_png, units_per_m=1000.0, most_m=MOST_M)
    return DatasetSequence(folder.name, frames, read, INTRINSICS)


def _poses(path: Path, count: int) -> np.ndarray:
    """Read (N, 4, 4) poses and turn OpenGL camera axes into optical ones."""
    numbers = read_numbers(path)
    if numbers.size != 16 * count:
        raise DatasetError(
            f'{path} holds {numbers.size / 16:g} poses for {count} images, expected as many'
        )
    poses = numbers.reshape(-1, 4, 4)
    poses[:, :3, 1:3] *= -1
    return poses
