"""MPI Sintel, final pass, with its depth and cameras.

ROOT/training/final/alley_1/frame_0001.png, ROOT/training/depth/alley_1/frame_0001.dpt and
ROOT/training/camdata_left/alley_1/frame_0001.cam, little-endian binary behind the tag 202021.25.
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
    require_files,
    require_frames,
)
from stream3r_ros.geometry.rigid import invert_rigid, rigid

NAME = 'Sintel'
DEPTH_SEQUENCES = (
    'alley_1', 'alley_2', 'ambush_2', 'ambush_4', 'ambush_5', 'ambush_6', 'ambush_7', 'bamboo_1',
    'bamboo_2', 'bandage_1', 'bandage_2', 'cave_2', 'cave_4', 'market_2', 'market_5', 'market_6',
    'mountain_1', 'shaman_2', 'shaman_3', 'sleeping_1', 'sleeping_2', 'temple_2', 'temple_3',
)  # fmt: skip
POSE_SEQUENCES = (
    'alley_2', 'ambush_4', 'ambush_5', 'ambush_6', 'cave_2', 'cave_4', 'market_2', 'market_5',
    'market_6', 'shaman_3', 'sleeping_1', 'sleeping_2', 'temple_2', 'temple_3',
)  # fmt: skip
TAG = np.float32(202021.25)
CAMERA_BYTES = 4 + 8 * (9 + 12)


def sintel_depth(root: Path, only: Collection[str] | None = None) -> list[DatasetSequence]:
    """Find the 23 training sequences with their depth.

    Raises DatasetError naming what is missing.
    """
    sequences = []
    for name, images in _images(root, choose(NAME, DEPTH_SEQUENCES, only)):
        folder = root / 'training/depth' / name
        frames = tuple(FrameFiles(path, folder / f'{path.stem}.dpt') for path in images)
        require_frames(NAME, root, frames)
        sequences.append(DatasetSequence(name, frames, read_sintel_depth))
    return sequences


def sintel_pose(root: Path, only: Collection[str] | None = None) -> list[DatasetSequence]:
    """Find the 14 training sequences whose camera neither stands still nor moves straight on.

    Raises DatasetError naming what is missing.
    """
    sequences = []
    for name, images in _images(root, choose(NAME, POSE_SEQUENCES, only)):
        folder = root / 'training/camdata_left' / name
        cameras = [folder / f'{path.stem}.cam' for path in images]
        require_files(NAME, root, cameras)
        frames = tuple(
            FrameFiles(image, None, read_sintel_pose(camera))
            for image, camera in zip(images, cameras, strict=True)
        )
        sequences.append(DatasetSequence(name, frames))
    return sequences


def read_sintel_depth(path: Path) -> np.ndarray:
    """Read a .dpt file: tag, width and height, then float32 metres in rows."""
    data = _tagged(path)
    width, height = (
        (int(side) for side in np.frombuffer(data, '<i4', 2, 4)) if len(data) >= 12 else (0, 0)
    )
    if min(width, height) < 1 or len(data) != 12 + 4 * width * height:
        raise DatasetError(f'{path} has {len(data)} bytes for {width} x {height} depths')
    return np.frombuffer(data, '<f4', width * height, 12).reshape(height, width).copy()


def read_sintel_pose(path: Path) -> np.ndarray:
    """Read world_from_camera (4, 4) of a .cam file: tag, intrinsics, then camera from world."""
    data = _tagged(path)
    if len(data) != CAMERA_BYTES:
        raise DatasetError(f'{path} has {len(data)} bytes, expected {CAMERA_BYTES}')
    extrinsic = np.frombuffer(data, '<f8', 12, 4 + 8 * 9).reshape(3, 4)
    return invert_rigid(rigid(extrinsic[:, :3], extrinsic[:, 3]))


def _images(root: Path, names: list[str]) -> list[tuple[str, list[Path]]]:
    folders = [root / 'training/final' / name for name in names]
    require_files(NAME, root, folders)
    images = [numbered(folder, 'frame_*.png') for folder in folders]
    empty = [folder for folder, files in zip(folders, images, strict=True) if not files]
    require_files(NAME, root, [folder / 'frame_0001.png' for folder in empty])
    return list(zip(names, images, strict=True))


def _tagged(path: Path) -> bytes:
    data = path.read_bytes()
    if len(data) < 4 or np.frombuffer(data, '<f4', 1)[0] != TAG:
        raise DatasetError(f'{path} does not begin with the tag of a Sintel file')
    return data
