"""Ground plans of the varied rooms: a box with masonry standing in it from floor to ceiling."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from stream3r_ros.synthetic.layout import Wall
from stream3r_ros.synthetic.surfaces import Solid

SMALLEST_M, LARGEST_M = 3.5, 9.0
LOWEST_M, HIGHEST_M = 2.3, 4.0
BEYOND_M = 0.05
"""How far masonry and outer surfaces reach past each other, so that no ray finds a seam."""


@dataclass(frozen=True)
class Block:
    """Masonry on the ground rectangle from `low` to `high` (x, y), as high as the room."""

    low: tuple[float, float]
    high: tuple[float, float]

    def overlaps(self, low: np.ndarray, high: np.ndarray) -> bool:
        """Say whether a rectangle on the ground overlaps this one."""
        return bool(
            (low[:2] < np.array(self.high)).all() and (high[:2] > np.array(self.low)).all()
        )


@dataclass(frozen=True)
class FloorPlan:
    """The size of a room (width, depth, height in metres) and the masonry in it."""

    shape: str
    size_m: tuple[float, float, float]
    blocks: tuple[Block, ...]

    @staticmethod
    def draw(rng: np.random.Generator) -> FloorPlan:
        """Draw a plan: its shape, its size and its masonry."""
        shape = SHAPES[rng.integers(len(SHAPES))]
        width, depth = rng.uniform(SMALLEST_M, LARGEST_M, 2)
        height = rng.uniform(LOWEST_M, HIGHEST_M)
        return FloorPlan(shape, (width, depth, height), _BLOCKS[shape](rng, width, depth))

    @property
    def walls(self) -> tuple[Wall, ...]:
        """Give the outer walls and after them the faces of the masonry that look into the room."""
        half = np.array(self.size_m[:2]) / 2
        faces = [wall for block in self.blocks for wall in _faces(block, half)]
        return (*_inward(-half, half), *faces)

    @property
    def solids(self) -> tuple[Solid, ...]:
        """Give the masonry as solids, which reach past the walls that they touch."""
        half = np.array(self.size_m[:2]) / 2
        solids = []
        for block in self.blocks:
            low, high = np.array(block.low), np.array(block.high)
            low, high = low - BEYOND_M * (low <= -half), high + BEYOND_M * (high >= half)
            bottom, top = -BEYOND_M, self.size_m[2] + BEYOND_M
            centre = np.array([*(low + high) / 2, (bottom + top) / 2])
            solids.append(
                Solid(centre, np.array([*(high - low) / 2, (top - bottom) / 2]), np.eye(3))
            )
        return tuple(solids)

    def clearance(self, points: np.ndarray) -> np.ndarray:
        """Give the distance (...) of points (..., 2) on the ground from walls and masonry."""
        points, half = np.asarray(points, float), np.array(self.size_m[:2]) / 2
        nearest = (half - np.abs(points)).min(axis=-1)
        for block in self.blocks:
            outside = np.maximum(np.array(block.low) - points, points - np.array(block.high))
            nearest = np.minimum(nearest, np.linalg.norm(np.clip(outside, 0, None), axis=-1))
        return nearest


def _inward(low: np.ndarray, high: np.ndarray) -> list[Wall]:
    """Give the four sides of a rectangle as seen from inside."""
    (x, y), (width, depth) = (low + high) / 2, high - low
    return [
        Wall(0.0, (x, low[1], 0), width),
        Wall(np.pi / 2, (high[0], y, 0), depth),
        Wall(np.pi, (x, high[1], 0), width),
        Wall(-np.pi / 2, (low[0], y, 0), depth),
    ]


def _faces(block: Block, half: np.ndarray) -> list[Wall]:
    """Give the sides of a block, seen from outside, that do not lie in an outer wall."""
    low, high = np.array(block.low), np.array(block.high)
    south, east, north, west = _inward(low, high)
    sides = [
        (Wall(np.pi, south.middle, south.length), low[1] > -half[1]),
        (Wall(-np.pi / 2, east.middle, east.length), high[0] < half[0]),
        (Wall(0.0, north.middle, north.length), high[1] < half[1]),
        (Wall(np.pi / 2, west.middle, west.length), low[0] > -half[0]),
    ]
    return [wall for wall, seen in sides if seen]


Blocks = tuple[Block, ...]


def _rectangle(rng: np.random.Generator, width: float, depth: float) -> Blocks:
    return ()


def _l_shape(rng: np.random.Generator, width: float, depth: float) -> Blocks:
    """Fill one corner."""
    x, y = rng.uniform(0.22, 0.48, 2) * (width, depth)
    return (_turned(rng, Block((-width / 2, -depth / 2), (x - width / 2, y - depth / 2))),)


def _recess(rng: np.random.Generator, width: float, depth: float) -> Blocks:
    """Leave a niche in the middle of one wall, with masonry to both sides of it."""
    deep = rng.uniform(0.10, 0.24) * depth
    opening = rng.uniform(0.35, 0.6) * width
    left = -width / 2 + rng.uniform(0.25, 0.75) * (width - opening)
    side, front = rng.choice([-1, 1]), depth / 2 - deep
    blocks = (
        Block((-width / 2, front), (left, depth / 2)),
        Block((left + opening, front), (width / 2, depth / 2)),
    )
    return blocks if side > 0 else tuple(_mirrored(block, (1, -1)) for block in blocks)


def _pillar(rng: np.random.Generator, width: float, depth: float) -> Blocks:
    """Stand one or two pillars away from the walls."""
    blocks: list[Block] = []
    for side in (-1, 1)[: int(rng.integers(1, 3))]:
        half = rng.uniform(0.12, 0.28, 2)
        middle = np.array([side * rng.uniform(0.12, 0.22) * width, rng.uniform(-0.2, 0.2) * depth])
        low, high = middle - half, middle + half
        blocks.append(Block((low[0], low[1]), (high[0], high[1])))
    return tuple(blocks)


def _partition(rng: np.random.Generator, width: float, depth: float) -> Blocks:
    """Let a thin wall stick out into the room."""
    thick, x = rng.uniform(0.08, 0.2), rng.uniform(-0.2, 0.2) * width
    top = depth * (rng.uniform(0.3, 0.6) - 0.5)
    return (_turned(rng, Block((x - thick / 2, -depth / 2), (x + thick / 2, top))),)


def _turned(rng: np.random.Generator, block: Block) -> Block:
    signs = rng.choice([-1, 1], 2)
    return _mirrored(block, (int(signs[0]), int(signs[1])))


def _mirrored(block: Block, signs: tuple[int, int]) -> Block:
    corners = np.array([block.low, block.high]) * signs
    (left, front), (right, back) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    return Block((left, front), (right, back))


_BLOCKS: dict[str, Callable[[np.random.Generator, float, float], Blocks]] = {
    'rectangle': _rectangle,
    'l_shape': _l_shape,
    'recess': _recess,
    'pillar': _pillar,
    'partition': _partition,
}
SHAPES = tuple(_BLOCKS)
