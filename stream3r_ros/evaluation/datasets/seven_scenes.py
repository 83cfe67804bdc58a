"""7-Scenes: the test sequences of the seven rooms.

ROOT/chess/TestSplit.txt, ROOT/chess/seq-03/frame-000000.{color.png,pose.txt,depth.proj.png}; the
last, depth registered to the colour image, is made from the published depth by whoever evaluates.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import partial
from pathlib import Path

from stream3r_ros.evaluation.datasets.sequence import (
    DatasetError,
    DatasetSequence,
    FrameFiles,
    choose,
    numbered,
    pinhole_matrix,
    read_depth_png,
    read_matrix,
    require_files,
    require_frames,
)

NAME = '7-Scenes'
SCENES = ('chess', 'fire', 'heads', 'office', 'pumpkin', 'redkitchen', 'stairs')
STRIDE = 200
INTRINSICS = pinhole_matrix(525, 525, 320, 240)
MOST_M = 10.0


def seven_scenes(
    root: Path, only: Collection[str] | None = None, stride: int | None = None
) -> list[DatasetSequence]:
    """Find every test sequence of the scenes, every 200th frame unless `stride` says otherwise.

    Raises DatasetError naming what is missing.
    """
    scenes = choose(NAME, SCENES, only)
    splits = [root / scene / 'TestSplit.txt' for scene in scenes]
    require_files(NAME, root, splits)
    folders = [folder for split in splits for folder in _test_folders(split)]
    require_files(NAME, root, folders)
    return [_sequence(root, folder, stride or STRIDE) for folder in folders]


def _test_folders(split: Path) -> list[Path]:
    numbers = re.findall(r'sequence\s*(\d+)', split.read_text())
    if not numbers:
        raise DatasetError(f'{split} names no sequence, expected lines such as sequence3')
    return [split.parent / f'seq-{int(number):02d}' for number in numbers]


def _sequence(root: Path, folder: Path, stride: int) -> DatasetSequence:
    images = numbered(folder, 'frame-*.color.png')
    if not images:
        require_files(NAME, root, [folder / 'frame-000000.color.png'])
    stems = [path.name.removesuffix('.color.png') for path in images[::stride]]
    poses = [folder / f'{stem}.pose.txt' for stem in stems]
    require_files(NAME, root, poses)
    frames = tuple(
        FrameFiles(
            folder / f'{stem}.color.png', folder / f'{stem}.depth.proj.png', read_matrix(pose)
        )
        for stem, pose in zip(stems, poses, strict=True)
    )
    require_frames(NAME, root, frames)
    read = partial(read_depth_png, units_per_m=1000.0, most_m=MOST_M)
    return DatasetSequence(f'{folder.parent.name}/{folder.name}', frames, read, INTRINSICS)
