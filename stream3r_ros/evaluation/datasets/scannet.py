"""ScanNet: the hundred test scans, as ScanNet's own reader of .sens files exports them.

ROOT/scans_test/scene0707_00/{color/0.jpg,pose/0.txt}, or the scenes directly in ROOT.
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
    numbered,
    read_matrix,
    require_files,
)

NAME = 'ScanNet'
SCENES = tuple(f'scene{number:04d}_00' for number in range(707, 807))
FRAMES, STRIDE = 90, 3


def scannet(root: Path, only: Collection[str] | None = None) -> list[DatasetSequence]:
    """Find the test scans: 90 frames, every third; those whose pose is not finite are left out.

    Raises DatasetError naming what is missing.
    """
    base = root / 'scans_test' if (root / 'scans_test').is_dir() else root
    folders = [base / name for name in choose(NAME, SCENES, only)]
    require_files(NAME, root, folders)
    return [_sequence(root, folder) for folder in folders]


def _sequence(root: Path, folder: Path) -> DatasetSequence:
    images = numbered(folder / 'color', '*.jpg')[: FRAMES * STRIDE : STRIDE]
    if not images and list(folder.glob('*.sens')):
        raise DatasetError(
            f'{folder} holds a .sens file only: export its colour images and poses with the '
            'SensReader that comes with ScanNet'
        )
    if not images:
        require_files(NAME, root, [folder / 'color' / '0.jpg'])
    poses = [folder / 'pose' / f'{image.stem}.txt' for image in images]
    require_files(NAME, root, poses)
    frames = tuple(
        FrameFiles(image, None, matrix)
        for image, matrix in zip(images, map(read_matrix, poses), strict=True)
        if np.isfinite(matrix).all()
    )
    if not frames:
        raise DatasetError(f'{folder / "pose"} has no finite pose for the frames taken')
    return DatasetSequence(folder.name, frames)
