"""A room in the making: what stands where, and what light and camera cannot pass."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from stream3r_ros.synthetic.assembly import Assembly
from stream3r_ros.synthetic.floorplan import FloorPlan
from stream3r_ros.synthetic.layout import Furnishing, Wall
from stream3r_ros.synthetic.lighting import Light, Obstacle, Shell
from stream3r_ros.synthetic.patterns import Style
from stream3r_ros.synthetic.surfaces import Patch, Solid


@dataclass
class Site:
    """Collect a room on a floor plan, refusing what would stand in something else.

    `obstacles` stop light; `hulls` only keep the camera away.
    """

    rng: np.random.Generator
    plan: FloorPlan
    style: Style
    room: Assembly = field(default_factory=Assembly)
    objects: list[str] = field(default_factory=list)
    obstacles: list[Obstacle] = field(default_factory=list)
    hulls: list[Solid] = field(default_factory=list)
    lights: list[Light] = field(default_factory=list)
    taken: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)

    def stand(self, name: str, piece: Assembly) -> bool:
        """Add an object, already in the room's frame, if its place is free; say whether."""
        low, high = piece.bounds()
        if not self.is_free(low, high):
            return False
        self.room.add(piece, (0, 0, 0))
        self.objects.append(name)
        self.obstacles.append(Obstacle.around(piece.solids))
        self.hulls += _round_hulls(piece)
        self.taken.append((low, high))
        return True

    def mount(self, wall: Wall, side: Assembly) -> None:
        """Add something flat to a wall, in the wall's frame; the camera keeps away from it."""
        placed = Assembly()
        placed.add(side, wall.middle, wall.angle_rad)
        self.room.add(placed, (0, 0, 0))
        self.hulls.append(_hull(*placed.bounds()))

    def hang(self, lamp: Assembly) -> None:
        """Add something that hangs from the ceiling, in the room's frame, and casts no shadow."""
        self.room.add(lamp, (0, 0, 0))
        self.hulls.append(_hull(*lamp.bounds()))
        self.taken.append(lamp.bounds())

    def claim(self, wall: Wall, low: tuple[float, ...], high: tuple[float, ...]) -> bool:
        """Take a box in the wall's frame (x along it, y into the room) if it is free."""
        if not _on_wall(wall, low[0], high[0]):
            return False
        corners = np.array([wall.place(*low), wall.place(*high)])
        box = corners.min(axis=0), corners.max(axis=0)
        if not self.is_free(*box):
            return False
        self.taken.append(box)
        return True

    def is_free(self, low: np.ndarray, high: np.ndarray) -> bool:
        """Say whether a box lies in the room and touches nothing that is taken."""
        half = np.array(self.plan.size_m[:2]) / 2 + 1e-6
        if (low[:2] < -half).any() or (high[:2] > half).any() or high[2] > self.plan.size_m[2]:
            return False
        if any(block.overlaps(low + 1e-6, high - 1e-6) for block in self.plan.blocks):
            return False
        return not any(
            ((low < other_high) & (high > other_low)).all() for other_low, other_high in self.taken
        )

    def furnishing(self, reflectance: np.ndarray) -> Furnishing:
        """Give the finished room; `reflectance` (6, 3) is what its shell sends back."""
        half = np.array(self.plan.size_m) * [0.5, 0.5, 0]
        top = half + [0, 0, self.plan.size_m[2]]
        masonry = [Obstacle.around([solid]) for solid in self.plan.solids]
        return Furnishing(
            self.plan.size_m,
            tuple(self.objects),
            tuple(self.room.surfaces),
            tuple(masonry + self.obstacles),
            tuple(self.lights),
            Shell(-half, top, reflectance),
            tuple(self.hulls),
        )


def _on_wall(wall: Wall, left: float, right: float) -> bool:
    return max(-left, right) <= wall.length / 2


def _round_hulls(piece: Assembly) -> list[Solid]:
    """Box the round surfaces, whose solids are smaller than they are."""
    corners = [surface.corners() for surface in piece.surfaces if not isinstance(surface, Patch)]
    return [_hull(points.min(axis=0), points.max(axis=0)) for points in corners]


def _hull(low: np.ndarray, high: np.ndarray) -> Solid:
    return Solid((low + high) / 2, (high - low) / 2, np.eye(3))
