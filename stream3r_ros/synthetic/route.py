"""Smooth closed ways through the free space of any room, for cameras that move differently."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from stream3r_ros.geometry.rigid import look_at
from stream3r_ros.synthetic.path import LOOP_S
from stream3r_ros.synthetic.room import SyntheticRoom

PATH_KINDS = ('hand_held', 'driving', 'turning')
LEAST_CLEARANCE_M = 0.2
PLACES = 4
WAVES = 9
DIRECTIONS = 120
FARTHEST_M, STEP_M = 4.0, 0.08


@dataclass(frozen=True)
class Manner:
    """How a camera of one kind moves; ranges are uniform.

    `height_m` above the floor, `margin_m` kept from everything where there is room for it,
    `pitch_rad` upwards, `sway` the amplitudes of slow waves in height (m), heading, pitch and
    roll (rad).
    """

    height_m: tuple[float, float]
    margin_m: float
    pitch_rad: tuple[float, float]
    sway: tuple[float, float, float, float]


MANNERS = {
    'hand_held': Manner((1.05, 1.7), 0.45, (-0.3, -0.05), (0.05, 0.3, 0.06, 0.03)),
    'driving': Manner((0.25, 0.8), 0.45, (-0.12, 0.05), (0.0, 0.0, 0.0, 0.0)),
    'turning': Manner((0.5, 1.7), 0.45, (-0.3, 0.05), (0.02, 0.25, 0.08, 0.03)),
}
LOOKS_RAD = (0.5, 0.5, 0.5, 0.0, 0.0, 0.25, 0.8)
"""Where a hand-held camera looks: turns from its direction of motion, inwards, times pi."""


@dataclass(frozen=True, eq=False)
class Route:
    """A loop that repeats every `loop_s` seconds, endlessly differentiable.

    `centre` (3,) and `place_waves` (3, WAVES, 2), sine and cosine amplitudes, give the place;
    `view` is heading, pitch and roll, the heading counted from the direction of motion or, when
    turning, from a steady turn with the loop, and `view_waves` (3, WAVES, 2) adds to them.
    """

    kind: str
    loop_s: float
    sense: int
    centre: np.ndarray
    place_waves: np.ndarray
    view: np.ndarray
    view_waves: np.ndarray

    @staticmethod
    def from_seed(
        room: SyntheticRoom, seed: int, kind: str = 'hand_held', loop_s: float = LOOP_S
    ) -> Route:
        """Draw a route of a kind of PATH_KINDS that keeps clear of walls and objects.

        Raises ValueError for another kind, and RuntimeError in a room that leaves no place.
        """
        if kind not in MANNERS:
            raise ValueError(f'kind is {kind!r}, expected one of {", ".join(PATH_KINDS)}')
        rng, manner = np.random.default_rng([seed, 6, PATH_KINDS.index(kind)]), MANNERS[kind]
        highest = min(manner.height_m[1], room.size_m[2] - 0.8)
        height = float(rng.uniform(manner.height_m[0], highest))
        fade = 1 / np.arange(1, WAVES + 1)[:, None] ** 1.5
        sway = rng.uniform(-1, 1, (4, WAVES, 2)) * fade * np.array(manner.sway)[:, None, None]
        sense = int(rng.choice([-1, 1]))
        view = np.array([0.0, rng.uniform(*manner.pitch_rad), 0.0])
        if kind == 'hand_held':
            view[0] = sense * np.pi * rng.choice(LOOKS_RAD) + rng.uniform(-0.3, 0.3)
        routes = []
        for place in _open_places(room, rng, height, manner.margin_m):
            shift, waves = _ring(rng) if kind == 'turning' else _around(room, rng, place, manner)
            waves = np.concatenate([waves * [sense, 1], sway[:1]])
            route = Route(kind, loop_s, sense, place + shift, waves, view, sway[1:])
            routes.append(_drawn_in(route, place, room))
        return max(routes, key=lambda route: float(np.square(route.place_waves).sum()))

    def pose(self, t_s: float) -> np.ndarray:
        """Give world_from_camera (4, 4) at a time, in optical axes, in the room's world."""
        phase = 2 * np.pi * t_s / self.loop_s
        heading, pitch, roll = self.view + _wave(self.view_waves, phase)
        heading += self._course(phase)
        forward = np.array([np.cos(heading), np.sin(heading), np.tan(pitch)])
        left = np.array([-np.sin(heading), np.cos(heading), 0.0])
        position = self.positions(t_s)
        return look_at(position, position + forward, np.array([0, 0, 1]) + np.tan(roll) * left)

    def positions(self, t_s: float | np.ndarray) -> np.ndarray:
        """Give where the camera is (..., 3) at times (...) in seconds."""
        phase = 2 * np.pi * np.asarray(t_s, float) / self.loop_s
        return self.centre + _wave(self.place_waves, phase)

    def _course(self, phase: float) -> float:
        """Give the direction in which the camera moves, or has turned."""
        if self.kind == 'turning':
            return self.sense * phase
        east, north, _ = _wave(_slope(self.place_waves), phase)
        return float(np.arctan2(north, east))


def _wave(amplitudes: np.ndarray, phase: float | np.ndarray) -> np.ndarray:
    """Sum the waves (N, WAVES, 2) at phases (...) of the loop: (..., N)."""
    phases = np.asarray(phase)[..., None] * np.arange(1, amplitudes.shape[1] + 1)
    return np.sin(phases) @ amplitudes[..., 0].T + np.cos(phases) @ amplitudes[..., 1].T


def _slope(amplitudes: np.ndarray) -> np.ndarray:
    """Differentiate waves by their phase."""
    number = np.arange(1, amplitudes.shape[1] + 1)
    return np.stack([-number * amplitudes[..., 1], number * amplitudes[..., 0]], axis=-1)


def _open_places(
    room: SyntheticRoom, rng: np.random.Generator, height: float, margin: float
) -> np.ndarray:
    """Draw PLACES places (PLACES, 3) at a height that are about as free as any in the room."""
    half = np.array(room.size_m[:2]) / 2
    places = np.concatenate([rng.uniform(-half, half, (400, 2)), np.full((400, 1), height)], 1)
    free = room.clearance_around(places)
    if free.max() < LEAST_CLEARANCE_M + 0.05:
        raise RuntimeError(
            f'no way at a height of {height:.2f} m in room {room.seed}: the clearance is '
            f'{max(free.max(), 0):.2f} m, expected {LEAST_CLEARANCE_M + 0.05:.2f}'
        )
    wide = np.flatnonzero(free >= min(0.7 * free.max(), margin + 0.9))
    return places[rng.choice(wide, PLACES)]


def _ring(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Move nearly in place: no shift (3,), and (2, WAVES, 2) waves of a few centimetres."""
    waves = rng.uniform(-1, 1, (2, WAVES, 2)) * 0.02 / np.arange(1, WAVES + 1)[:, None] ** 2
    reach = rng.uniform(0.03, 0.15)
    waves[0, 0, 1] += reach
    waves[1, 0, 0] += reach
    return np.zeros(3), waves


def _around(
    room: SyntheticRoom, rng: np.random.Generator, centre: np.ndarray, manner: Manner
) -> tuple[np.ndarray, np.ndarray]:
    """Go round a centre as far out as is free: a shift (3,) of it and (2, WAVES, 2) waves."""
    angles = np.arange(DIRECTIONS) * (2 * np.pi / DIRECTIONS)
    outward = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    reach = _smallest_nearby(_reaches(room, centre, outward, manner.margin_m))
    wobble = 1 - 0.25 * rng.random() * np.cos(angles * rng.integers(2, 4) + rng.uniform(0, 7))
    curve = outward * (reach * wobble * rng.uniform(0.75, 1.0) / wobble.max())[:, None]
    even = _evenly_spaced(curve)
    return np.append(even.mean(axis=0), 0.0), _waves_of(even)


def _reaches(
    room: SyntheticRoom, centre: np.ndarray, outward: np.ndarray, margin: float
) -> np.ndarray:
    """Give how far (N,) one can go in each direction before the clearance falls below a margin."""
    steps = np.arange(1, int(FARTHEST_M / STEP_M)) * STEP_M
    points = centre + steps[None, :, None] * np.append(outward, 0 * outward[:, :1], 1)[:, None]
    blocked = room.clearance_around(points) < margin
    first = np.where(blocked.any(axis=1), blocked.argmax(axis=1), len(steps))
    return np.maximum(first, 1) * STEP_M


def _smallest_nearby(reach: np.ndarray) -> np.ndarray:
    """Smooth distances around a circle without exceeding any of them."""
    width = DIRECTIONS // 12
    around = np.concatenate([reach, reach, reach]).astype(np.float32)[None]
    least = cv2.erode(around, np.ones((1, 2 * width + 1), np.uint8))
    smooth = cv2.GaussianBlur(least, (2 * width + 1, 1), width / 2)
    return smooth[0, len(reach) : 2 * len(reach)].astype(float)


def _evenly_spaced(curve: np.ndarray) -> np.ndarray:
    """Place points (N, 2) of a closed curve anew, at equal distances along it."""
    closed = np.concatenate([curve, curve[:1]])
    along = np.append(0, np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1)))
    even = np.linspace(0, along[-1], len(curve), endpoint=False)
    return np.stack([np.interp(even, along, closed[:, axis]) for axis in (0, 1)], axis=1)


def _waves_of(curve: np.ndarray) -> np.ndarray:
    """Give the first WAVES waves (2, WAVES, 2) of a closed curve, the higher ones damped."""
    spectrum = np.fft.rfft(curve, axis=0)[1 : WAVES + 1].T * (2 / len(curve))
    damping = np.sinc(np.arange(1, WAVES + 1) / (WAVES + 1))
    return np.stack([-spectrum.imag * damping, spectrum.real * damping], axis=-1)


def _drawn_in(route: Route, place: np.ndarray, room: SyntheticRoom) -> Route:
    """Draw a route in towards a free place inside it until all of it is clear."""
    times = np.linspace(0, route.loop_s, 360, endpoint=False)
    shrink = np.array([0.9, 0.9, 1.0])
    while room.clearance_around(route.positions(times)).min() < LEAST_CLEARANCE_M:
        centre = place + shrink * (route.centre - place)
        waves = route.place_waves * shrink[:, None, None]
        route = replace(route, centre=centre, place_waves=waves)
    return route
