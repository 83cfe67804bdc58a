"""Bonn RGB-D Dynamic: the five sequences that video depth is measured on.

ROOT/rgbd_bonn_balloon2/{rgb.txt,depth.txt,rgb/,depth/}, in the format of TUM RGB-D.
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
    read_depth_png,
    require_files,
    require_frames,
)
from stream3r_ros.evaluation.datasets.tum import nearest_stamps, read_file_list

NAME = 'Bonn'
SEQUENCES = tuple(
    f'rgbd_bonn_{name}'
    for name in ('balloon2', 'crowd2', 'crowd3', 'person_tracking2', 'synchronous')
)
FIRST, LAST = 30, 140
UNITS_PER_M = 5000.0


def bonn(root: Path, only: Collection[str] | None = None) -> list[DatasetSequence]:
    """Find the five sequences: 110 images from the 31st on, with the depth nearest in time.

    An image without depth within 20 ms is left out. Raises DatasetError naming what is missing.
    """
    folders = [root / name for name in choose(NAME, SEQUENCES, only)]
    require_files(
        NAME, root, [folder / name for folder in folders for name in ('rgb.txt', 'depth.txt')]
    )
    return [_sequence(root, folder) for folder in folders]


def _sequence(root: Path, folder: Path) -> DatasetSequence:
    images = read_file_list(folder / 'rgb.txt')
    depths = read_file_list(folder / 'depth.txt')
    nearest = nearest_stamps(np.array(list(images)), np.array(list(depths)))
    depth_files = list(depths.values())
    frames = tuple(
        FrameFiles(folder / name, folder / depth_files[row])
        for name, row in list(zip(images.values(), nearest, strict=True))[FIRST:LAST]
        if row >= 0
    )
    if not frames:
        raise DatasetError(f'{folder} has {len(images)} images with depth, expected over {FIRST}')
    require_frames(NAME, root, frames)
    return DatasetSequence(folder.name, frames, partial(read_depth_png, units_per_m=UNITS_PER_M))
