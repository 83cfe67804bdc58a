"""Shapes that a synthetic room is made of, in metres, with z up.

Every shape is parametrised by texture coordinates (u, v) in [0, 1]: u across and v down, as on
the texture that covers it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from stream3r_ros.synthetic.textures import Texture


@dataclass(frozen=True)
class Material:
    """What covers a surface: a texture, and whether it shines by itself.

    `glow` is 0 for a surface that is only lit by others; a glowing surface shows its texture's
    colours times `glow`, whatever the light. `detail` scales the texture's resolution.
    """

    texture: Texture
    glow: float = 0.0
    detail: float = 1.0


@dataclass(frozen=True, eq=False)
class Patch:
    """A rectangle, or the ellipse inside it, seen from its front only.

    `corner` is the upper left one as seen from the front; `right` and `down` are the edges, at
    right angles.
    """

    corner: np.ndarray
    right: np.ndarray
    down: np.ndarray
    material: Material
    round: bool = False

    @property
    def size_m(self) -> tuple[float, float]:
        """Give the lengths of the edges, across and down."""
        return float(np.linalg.norm(self.right)), float(np.linalg.norm(self.down))

    @property
    def normal(self) -> np.ndarray:
        """Give the unit normal, which points to whoever sees the front."""
        normal = np.cross(self.down, self.right)
        return normal / np.linalg.norm(normal)

    def points_and_normals(self, u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Give the points (..., 3) at texture coordinates, and their normals."""
        points = self.corner + u[..., None] * self.right + v[..., None] * self.down
        return points, np.broadcast_to(self.normal, points.shape)

    def corners(self) -> np.ndarray:
        """Give four points whose hull contains the surface, in order around it."""
        square = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
        return self.points_and_normals(square[:, 0], square[:, 1])[0]

    def moved(self, rotation: np.ndarray, translation: np.ndarray) -> Patch:
        """Rotate the surface about the origin and then translate it."""
        return replace(
            self,
            corner=rotation @ self.corner + translation,
            right=rotation @ self.right,
            down=rotation @ self.down,
        )


@dataclass(frozen=True, eq=False)
class Ellipsoid:
    """An ellipsoid with upright axes, seen from outside; u runs around it and v down it."""

    centre: np.ndarray
    radii: np.ndarray
    material: Material

    @property
    def size_m(self) -> tuple[float, float]:
        """Give the girth and the height."""
        return float(2 * np.pi * self.radii[:2].mean()), float(2 * self.radii[2])

    def points_and_normals(self, u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Give the points (..., 3) at texture coordinates, and their normals."""
        angle, height = u * (2 * np.pi), 1 - 2 * v
        girth = np.sqrt(np.clip(1 - height**2, 0, None))
        unit = np.stack([girth * np.cos(angle), girth * np.sin(angle), height], axis=-1)
        normals = unit / self.radii
        normals = normals / np.linalg.norm(normals, axis=-1, keepdims=True)
        return self.centre + unit * self.radii, normals

    def corners(self) -> np.ndarray:
        """Give eight points whose hull contains the surface."""
        return self.centre + self.radii * _cube()

    def moved(self, rotation: np.ndarray, translation: np.ndarray) -> Ellipsoid:
        """Move the surface; its axes stay upright and level, so turn long ones by quarters."""
        return replace(
            self,
            centre=rotation @ self.centre + translation,
            radii=np.sqrt(rotation**2 @ self.radii**2),
        )


@dataclass(frozen=True, eq=False)
class Tube:
    """The side of an upright cylinder or truncated cone; u runs around it and v down it."""

    base: np.ndarray
    radius_bottom: float
    radius_top: float
    height: float
    material: Material

    @property
    def slope(self) -> float:
        """Give the growth of the radius per metre upwards."""
        return (self.radius_top - self.radius_bottom) / self.height

    @property
    def size_m(self) -> tuple[float, float]:
        """Give the mean girth and the height."""
        return float(np.pi * (self.radius_bottom + self.radius_top)), self.height

    def points_and_normals(self, u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Give the points (..., 3) at texture coordinates, and their normals."""
        angle, up = u * (2 * np.pi), (1 - v) * self.height
        outward = np.stack([np.cos(angle), np.sin(angle), np.zeros_like(angle)], axis=-1)
        radius = (self.radius_bottom + self.slope * up)[..., None]
        points = self.base + outward * radius + up[..., None] * np.array([0.0, 0.0, 1.0])
        normals = outward - self.slope * np.array([0.0, 0.0, 1.0])
        return points, normals / np.linalg.norm(normals, axis=-1, keepdims=True)

    def corners(self) -> np.ndarray:
        """Give eight points whose hull contains the surface."""
        radius = max(self.radius_bottom, self.radius_top)
        half = np.array([radius, radius, self.height / 2])
        return self.base + np.array([0.0, 0.0, self.height / 2]) + half * _cube()

    def moved(self, rotation: np.ndarray, translation: np.ndarray) -> Tube:
        """Rotate the surface about the vertical and then translate it."""
        return replace(self, base=rotation @ self.base + translation)


Surface = Patch | Ellipsoid | Tube


@dataclass(frozen=True, eq=False)
class Solid:
    """What stands in the way of light and of the camera: a box turned about the vertical.

    With `rounded` light meets the ellipsoid inside the box instead.
    """

    centre: np.ndarray
    half: np.ndarray
    rotation: np.ndarray
    rounded: bool = False

    def moved(self, rotation: np.ndarray, translation: np.ndarray) -> Solid:
        """Rotate the solid about the origin and then translate it."""
        return replace(
            self, centre=rotation @ self.centre + translation, rotation=rotation @ self.rotation
        )

    def distance(self, points: np.ndarray) -> np.ndarray:
        """Give the distance in metres of (..., 3) points to the box, 0 inside it."""
        local = (np.asarray(points) - self.centre) @ self.rotation
        return np.linalg.norm(np.clip(np.abs(local) - self.half, 0, None), axis=-1)


def turn(angle_rad: float) -> np.ndarray:
    """Make the rotation about z, counter-clockwise as seen from above."""
    cos, sin = np.cos(angle_rad), np.sin(angle_rad)
    return np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])


def _cube() -> np.ndarray:
    signs = np.array([-1.0, 1.0])
    return np.stack(np.meshgrid(signs, signs, signs, indexing='ij'), axis=-1).reshape(8, 3)
