"""A smooth closed way of a camera through the free middle of a room."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream3r_ros.geometry.rigid import look_at
from stream3r_ros.synthetic.layout import FREE_ABOVE_M, FREE_BELOW_M, FREE_MARGIN_M
from stream3r_ros.synthetic.room import SyntheticRoom

LOOP_S = 36.0
WAVES = 3


@dataclass(frozen=True, eq=False)
class CameraPath:
    """A loop that repeats every `loop_s` seconds, endlessly differentiable.

    The camera circles the middle of the room once a loop and looks across it, with slow waves in
    place, height, heading, pitch and roll. Waves are (WAVES, 2) sine and cosine amplitudes.
    """

    loop_s: float
    radii: tuple[float, float]
    height: float
    start_rad: float
    sense: int
    place_waves: np.ndarray
    view_waves: np.ndarray

    @staticmethod
    def from_seed(room: SyntheticRoom, seed: int, loop_s: float = LOOP_S) -> CameraPath:
        """Draw a path that stays in the part of the room that is kept free of furniture."""
        rng = np.random.default_rng([seed, 3])
        free = np.array(room.size_m[:2]) / 2 - FREE_MARGIN_M
        fade = 1 / np.arange(1, WAVES + 1)[:, None]
        return CameraPath(
            loop_s,
            tuple(free * rng.uniform(0.7, 0.8, 2)),
            rng.uniform(0.45, 0.55) * (FREE_ABOVE_M + FREE_BELOW_M),
            rng.uniform(0, 2 * np.pi),
            int(rng.choice([-1, 1])),
            rng.uniform(-1, 1, (3, WAVES, 2)) * fade * np.array([0.04, 0.04, 0.05])[:, None, None],
            rng.uniform(-1, 1, (3, WAVES, 2)) * fade * np.array([0.3, 0.06, 0.02])[:, None, None],
        )

    def pose(self, t_s: float) -> np.ndarray:
        """Give world_from_camera (4, 4) at a time, in optical axes, in the room's world."""
        turn = self.start_rad + self.sense * 2 * np.pi * t_s / self.loop_s
        position = np.array(
            [self.radii[0] * np.cos(turn), self.radii[1] * np.sin(turn), self.height]
        )
        position += _wave(self.place_waves, turn)
        heading, pitch, roll = _wave(self.view_waves, turn) + [turn + np.pi, -0.24, 0.0]
        forward = np.array([np.cos(heading), np.sin(heading), np.tan(pitch)])
        left = np.array([-np.sin(heading), np.cos(heading), 0.0])
        return look_at(position, position + forward, np.array([0, 0, 1]) + np.tan(roll) * left)


def _wave(amplitudes: np.ndarray, turn: float) -> np.ndarray:
    """Sum the waves (N, WAVES, 2) at one phase of the loop."""
    phases = np.arange(1, WAVES + 1) * turn
    return amplitudes[..., 0] @ np.sin(phases) + amplitudes[..., 1] @ np.cos(phases)
