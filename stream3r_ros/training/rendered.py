"""Rendered sequences in memory-mapped arrays, so that training never waits for rendering."""

import json
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from stream3r_ros.synthetic.path import LOOP_S, CameraPath
from stream3r_ros.synthetic.room import SyntheticRoom
from stream3r_ros.synthetic.splits import (
    HOUSE_ROOMS,
    RESERVED,
    TrueSequence,
    centred_pinhole,
    open_training_sequence,
    render_path,
)

INDEX = 'index.json'
Shape = tuple[int, int, int, int]
ARRAYS = ('images', 'depth', 'poses')
FRAME_STEP_S = 0.3


@dataclass(frozen=True, eq=False)
class Rendered:
    """Paths of equal length, memory-mapped.

    `images` (N, T, H, W, 3) uint8, `depth` (N, T, H, W) float16 in metres, `poses` (N, T, 4, 4)
    float32 world_from_camera in optical axes, `intrinsics` (3, 3). Paths are closed loops.
    """

    images: np.ndarray
    depth: np.ndarray
    poses: np.ndarray
    intrinsics: np.ndarray
    finished: Callable[[], int]

    @property
    def image_hw(self) -> tuple[int, int]:
        """Height and width of the images."""
        return self.images.shape[2], self.images.shape[3]


def _create(folder: Path, shape: Shape) -> None:
    """Make files of the final size and reserve their disk, which a mapping cannot ask for later.

    Raises ValueError when the disk has no room for them.
    """
    described: tuple[tuple[str, type, tuple[int, ...]], ...] = (
        ('images', np.uint8, (*shape, 3)),
        ('depth', np.float16, shape),
        ('poses', np.float32, (*shape[:2], 4, 4)),
    )
    for name, dtype, size in described:
        path = folder / f'{name}.npy'
        np.lib.format.open_memmap(path, 'w+', dtype, size)
        try:
            with path.open('r+b') as file:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
        except OSError as error:
            path.unlink()
            raise ValueError(
                f'{path} needs {math.prod(size) * np.dtype(dtype).itemsize / 1e9:.1f} GB: '
                f'{error.strerror}'
            ) from error


def _map(folder: Path, mode: Literal['r', 'r+']) -> list[np.ndarray]:
    return [np.load(folder / f'{name}.npy', mmap_mode=mode) for name in ARRAYS]


def render_split(folder: Path, split: str, paths: int, image_hw: tuple[int, int]) -> Iterator[int]:
    """Render training paths, one each turn; yields how many are there.

    ``split`` house has all paths in the demo house, open each in a room of its own. An
    interrupted rendering goes on where it stopped.

    Path seeds run from 0; those from RESERVED on belong to evaluation. Raises ValueError for
    more paths than that, and where the folder holds another rendering.
    """
    if not 0 < paths <= RESERVED:
        raise ValueError(f'paths must be 1 to {RESERVED}, where the reserved seeds begin: {paths}')
    times = np.arange(0, LOOP_S, FRAME_STEP_S).tolist()
    shape = (paths, len(times), image_hw[0], image_hw[1])
    folder.mkdir(parents=True, exist_ok=True)
    finished = _resume(folder, split, shape)
    yield finished
    if finished == paths:
        return
    if not finished:
        _create(folder, shape)
    images, depth, poses = _map(folder, 'r+')
    render = _renderer(split, times, image_hw)
    for seed in range(finished, paths):
        truth = render(seed)
        images[seed], depth[seed], poses[seed] = truth.images, truth.depth, truth.world_from_camera
        _write_index(folder, split, shape, seed + 1)
        yield seed + 1


def _renderer(
    split: str, times_s: list[float], image_hw: tuple[int, int]
) -> Callable[[int], TrueSequence]:
    """Give what renders the path of a seed."""
    if split == 'open':
        return lambda seed: open_training_sequence(seed, times_s, image_hw)
    rooms = [SyntheticRoom.from_seed(seed) for seed in HOUSE_ROOMS]

    def in_house(seed: int) -> TrueSequence:
        room = rooms[seed % len(rooms)]
        return render_path(room, CameraPath.from_seed(room, seed), times_s, image_hw, seed)

    return in_house


def _resume(folder: Path, split: str, shape: Shape) -> int:
    index = folder / INDEX
    if not index.is_file():
        return 0
    content = json.loads(index.read_text())
    held = content.get('split', 'house'), tuple(content['shape'])
    if held != (split, shape):
        raise ValueError(
            f'{folder} holds a rendering of split {held[0]} and shape {held[1]}, not {split} and '
            f'{shape}'
        )
    return content['finished']


def _write_index(folder: Path, split: str, shape: Shape, finished: int) -> None:
    draft = folder / f'{INDEX}.new'
    draft.write_text(json.dumps({'split': split, 'shape': list(shape), 'finished': finished}))
    draft.replace(folder / INDEX)


def open_rendered(folder: Path) -> Rendered:
    """Open a rendering, which may still grow: ``finished()`` tells how many paths are there.

    Raises ValueError when the folder holds none.
    """
    index = folder / INDEX
    if not index.is_file():
        raise ValueError(f'{folder} holds no rendering: stream3r train renders it')
    height, width = json.loads(index.read_text())['shape'][2:]
    images, depth, poses = _map(folder, 'r')
    return Rendered(
        images,
        depth,
        poses,
        centred_pinhole((height, width)),
        lambda: json.loads(index.read_text())['finished'],
    )
