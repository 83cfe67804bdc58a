"""KITTI depth completion: the validation drives, or the published selection of them.

The drives: ROOT/val/DRIVE/proj_depth/groundtruth/image_02/*.png of the annotated depth maps, with
the raw images ROOT/DATE/DRIVE/image_02/data/*.png beside. Without val, the selection:
ROOT/depth_selection/val_selection_cropped/{image,groundtruth_depth}/*.png, frames of one drive and
camera forming a sequence.
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
    read_depth_png,
    require_files,
    require_frames,
)

NAME = 'KITTI'
DRIVES = (
    '2011_09_26_drive_0002_sync',
    '2011_09_26_drive_0005_sync',
    '2011_09_26_drive_0013_sync',
    '2011_09_26_drive_0020_sync',
    '2011_09_26_drive_0023_sync',
    '2011_09_26_drive_0036_sync',
    '2011_09_26_drive_0079_sync',
    '2011_09_26_drive_0095_sync',
    '2011_09_26_drive_0113_sync',
    '2011_09_28_drive_0037_sync',
    '2011_09_29_drive_0026_sync',
    '2011_09_30_drive_0016_sync',
    '2011_10_03_drive_0047_sync',
)
MOST_FRAMES = 110
UNITS_PER_M = 256.0
SELECTION = Path('depth_selection', 'val_selection_cropped')
SELECTED = re.compile(r'(.+_sync)_groundtruth_depth_(\d+)_(image_0[23])\.png')
READ_DEPTH = partial(read_depth_png, units_per_m=UNITS_PER_M)


def kitti(root: Path, only: Collection[str] | None = None) -> list[DatasetSequence]:
    """Find the 13 validation drives, their first 110 frames with depth of the left camera.

    Where ROOT has no val folder but the selection, the sequences are those of the selection.
    Raises DatasetError naming what is missing.
    """
    if not (root / 'val').is_dir() and (root / SELECTION).is_dir():
        return _selected(root, only)
    drives = choose(NAME, DRIVES, only)
    folders = [root / 'val' / drive / 'proj_depth/groundtruth/image_02' for drive in drives]
    require_files(NAME, root, folders)
    return [_drive(root, drive, folder) for drive, folder in zip(drives, folders, strict=True)]


def _drive(root: Path, drive: str, folder: Path) -> DatasetSequence:
    images = root / drive[:10] / drive / 'image_02/data'
    frames = tuple(
        FrameFiles(images / depth.name, depth) for depth in numbered(folder, '*.png')[:MOST_FRAMES]
    )
    if not frames:
        raise DatasetError(f'the {NAME} folder {folder} lacks its *.png depth maps')
    require_frames(NAME, root, frames)
    return DatasetSequence(drive, frames, READ_DEPTH)


def _selected(root: Path, only: Collection[str] | None) -> list[DatasetSequence]:
    depth_folder, image_folder = root / SELECTION / 'groundtruth_depth', root / SELECTION / 'image'
    require_files(NAME, root, [depth_folder, image_folder])
    found: dict[str, list[FrameFiles]] = {}
    for depth in numbered(depth_folder, '*.png'):
        match = SELECTED.fullmatch(depth.name)
        if not match:
            raise DatasetError(f'{depth} is not named as a depth map of the selection')
        drive, frame, camera = match.groups()
        image = image_folder / f'{drive}_image_{frame}_{camera}.png'
        found.setdefault(f'{drive}/{camera}', []).append(FrameFiles(image, depth))
    if not found:
        raise DatasetError(f'the {NAME} folder {depth_folder} lacks its *.png depth maps')
    chosen = choose(NAME, sorted(found), only)
    require_frames(NAME, root, [frame for name in chosen for frame in found[name]])
    return [DatasetSequence(name, tuple(found[name]), READ_DEPTH) for name in chosen]
