"""What is seen in training and what is kept for evaluation.

The demo house is a few fixed rooms that the demo shows and the demo weights know; its paths from
seed RESERVED on are for evaluation alone, and its camera is hand-held. Open rooms are rooms of
every kind, each with a camera that is hand-held, drives or turns, and a sensor of its own; those
from seed RESERVED on are for evaluation alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from stream3r_ros.synthetic.path import CameraPath
from stream3r_ros.synthetic.room import SyntheticRoom
from stream3r_ros.synthetic.route import PATH_KINDS, Route
from stream3r_ros.synthetic.sensor import Sensor
from stream3r_ros.synthetic.sequence import FOV_X_RAD

HOUSE_ROOMS = (7,)
RESERVED = 1_000_000
SPLITS = ('house', 'open')
OPEN_TEXELS_PER_M = 64.0
"""Enough for network images, at half of the time that it takes to paint a room."""
EVALUATION_STEP_S = 0.3
"""Seconds between the frames of an evaluation sequence: 3 degrees of turning and more."""


@dataclass(frozen=True, eq=False)
class TrueSequence:
    """A short sequence with everything that is true about it.

    `images` (S, H, W, 3) uint8, `depth` (S, H, W) float32 in metres along the optical axis,
    `world_from_camera` (S, 4, 4) in optical axes, `intrinsics` (3, 3) in pixels; `seed` is the
    path's in the house, the room's in open rooms.
    """

    images: np.ndarray
    depth: np.ndarray
    world_from_camera: np.ndarray
    intrinsics: np.ndarray
    seed: int


def centred_pinhole(image_hw: tuple[int, int], fov_x_rad: float = FOV_X_RAD) -> np.ndarray:
    """Make the (3, 3) intrinsics that the network can express: principal point (W/2, H/2)."""
    height, width = image_hw
    focal = width / 2 / np.tan(fov_x_rad / 2)
    return np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])


def render_path(
    room: SyntheticRoom,
    path: CameraPath | Route,
    times_s: Sequence[float],
    image_hw: tuple[int, int],
    seed: int,
) -> TrueSequence:
    """Render the frames of a path at the given times."""
    intrinsics = centred_pinhole(image_hw)
    poses = np.stack([path.pose(time_s) for time_s in times_s])
    pictures = [room.render(pose, intrinsics, image_hw) for pose in poses]
    return TrueSequence(
        np.stack([picture.image_rgb for picture in pictures]),
        np.stack([picture.depth_m for picture in pictures]),
        poses,
        intrinsics,
        seed,
    )


def house_sequence(index: int, frames: int, image_hw: tuple[int, int]) -> TrueSequence:
    """Render the evaluation sequence of an index in the demo house; no training path is shown.

    Raises ValueError for a negative index, whose seed belongs to training.
    """
    seed = _reserved(index)
    room = _room(HOUSE_ROOMS[index % len(HOUSE_ROOMS)])
    return render_path(room, CameraPath.from_seed(room, seed), _times(frames), image_hw, seed)


def open_sequence(index: int, frames: int, image_hw: tuple[int, int]) -> TrueSequence:
    """Render the evaluation sequence of an index, each in a room that training never sees.

    Raises ValueError for a negative index, whose seed belongs to training.
    """
    return _render_open(_reserved(index), _times(frames), image_hw)


def open_training_sequence(
    seed: int, times_s: Sequence[float], image_hw: tuple[int, int]
) -> TrueSequence:
    """Render a sequence for training in the open room of a seed.

    Raises ValueError for the seeds of evaluation.
    """
    if not 0 <= seed < RESERVED:
        raise ValueError(f'seed is {seed}, expected 0 to {RESERVED - 1}: the rest is reserved')
    return _render_open(seed, times_s, image_hw)


def _render_open(seed: int, times_s: Sequence[float], image_hw: tuple[int, int]) -> TrueSequence:
    room = SyntheticRoom.varied(seed, texels_per_m=OPEN_TEXELS_PER_M)
    route = Route.from_seed(room, seed, PATH_KINDS[seed % len(PATH_KINDS)])
    truth = render_path(room, route, times_s, image_hw, seed)
    rng = np.random.default_rng([seed, 7])
    return replace(truth, images=Sensor.draw(rng).expose(truth.images, rng))


def _reserved(index: int) -> int:
    if index < 0:
        raise ValueError(f'index is {index}, expected 0 or more: seeds below are for training')
    return RESERVED + index


def _times(frames: int) -> list[float]:
    return [frame * EVALUATION_STEP_S for frame in range(frames)]


@lru_cache(maxsize=len(HOUSE_ROOMS))
def _room(seed: int) -> SyntheticRoom:
    return SyntheticRoom.from_seed(seed)
