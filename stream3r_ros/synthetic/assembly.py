"""Put boxes, tubes and ellipsoids together into a piece of furniture."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from stream3r_ros.synthetic.surfaces import (
    Ellipsoid,
    Material,
    Patch,
    Solid,
    Surface,
    Tube,
    turn,
)

Vector = tuple[float, float, float]
X, Y, Z = np.eye(3)


@dataclass
class Assembly:
    """Collect the surfaces and solids of one object, in the object's own frame.

    The frame's origin is on the floor at the middle of the object's back; x runs along the wall
    behind it, y into the room and z up.
    """

    surfaces: list[Surface] = field(default_factory=list)
    solids: list[Solid] = field(default_factory=list)

    def box(
        self,
        bottom: Vector,
        size: Vector,
        material: Material,
        *,
        front: Material | None = None,
        top: Material | None = None,
        underside: bool = False,
        solid: bool = True,
    ) -> None:
        """Add a box that stands on `bottom`, the middle of its lower face.

        The front is the face towards y. The lower face is left out unless asked for.
        """
        width, depth, height = size
        half = np.array(size) / 2
        centre = np.array(bottom) + np.array([0, 0, height / 2])
        faces = [
            (Y, -X, front or material),
            (-Y, X, material),
            (X, Y, material),
            (-X, -Y, material),
        ]
        for normal, right, face_material in faces:
            corner = centre + half * (normal - right) + half * Z
            self._patch(corner, right * (2 * half), -Z * height, face_material)
        self._patch(
            centre + half * (-X - Y + Z) + 2 * half * Y, X * width, -Y * depth, top or material
        )
        if underside:
            self._patch(centre + half * (-X - Y - Z), X * width, Y * depth, material)
        if solid:
            self.solids.append(Solid(centre, half, np.eye(3)))

    def panel(
        self, centre: Vector, size: tuple[float, float], material: Material, *, round: bool = False
    ) -> None:
        """Add an upright panel that faces y and has no thickness."""
        width, height = size
        corner = np.array(centre) + np.array([width / 2, 0, height / 2])
        self._patch(corner, -X * width, -Z * height, material, round)

    def sheet(
        self,
        centre: Vector,
        size: tuple[float, float],
        material: Material,
        *,
        round: bool = False,
        downward: bool = False,
    ) -> None:
        """Add a level sheet without thickness that faces up, or down."""
        right, down = X * size[0], (Y if downward else -Y) * size[1]
        self._patch(np.array(centre) - (right + down) / 2, right, down, material, round)

    def disc(
        self, centre: Vector, radius: float, material: Material, *, downward: bool = False
    ) -> None:
        """Add a level disc that faces up, or down."""
        self.sheet(centre, (2 * radius, 2 * radius), material, round=True, downward=downward)

    def tube(
        self,
        bottom: Vector,
        radii: tuple[float, float],
        height: float,
        material: Material,
        *,
        top: Material | None = None,
        lid: bool = True,
        underside: bool = False,
        solid: bool = True,
    ) -> None:
        """Add a cylinder or cone on `bottom` with its radii below and above."""
        base = np.array(bottom, float)
        self.surfaces.append(Tube(base, radii[0], radii[1], height, material))
        if lid:
            self.disc(tuple(base + Z * height), radii[1], top or material)
        if underside:
            self.disc(bottom, radii[0], material, downward=True)
        if solid:
            half = np.array([0.85 * max(radii), 0.85 * max(radii), height / 2])
            self.solids.append(Solid(base + Z * height / 2, half, np.eye(3)))

    def ball(
        self, centre: Vector, radii: Vector, material: Material, *, solid: bool = True
    ) -> None:
        """Add an ellipsoid."""
        self.surfaces.append(Ellipsoid(np.array(centre, float), np.array(radii, float), material))
        if solid:
            self.solids.append(
                Solid(np.array(centre, float), np.array(radii, float), np.eye(3), rounded=True)
            )

    def add(self, other: Assembly, position: Vector, angle_rad: float = 0.0) -> None:
        """Add another assembly, turned about the vertical and moved to `position`."""
        rotation, translation = turn(angle_rad), np.array(position, float)
        self.surfaces += [surface.moved(rotation, translation) for surface in other.surfaces]
        self.solids += [solid.moved(rotation, translation) for solid in other.solids]

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Give the lower and the upper corner of the box around all surfaces."""
        points = np.concatenate([surface.corners() for surface in self.surfaces])
        return points.min(axis=0), points.max(axis=0)

    def _patch(
        self,
        corner: np.ndarray,
        right: np.ndarray,
        down: np.ndarray,
        material: Material,
        round: bool = False,
    ) -> None:
        self.surfaces.append(Patch(corner, right, down, material, round))
