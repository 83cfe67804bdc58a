"""Light the room once: lamps and a window with soft shadows, and one bounce off the walls.

All surfaces are matt, so the light does not depend on where the camera is and is baked into the
textures. Light is linear RGB; colours of textures are sRGB, taken as a power of 2.2.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from stream3r_ros.synthetic.surfaces import Patch, Solid, Surface

GAMMA = 2.2
BOUNCE_DIRECTIONS = 12


@dataclass(frozen=True, eq=False)
class Light:
    """A set of points (N, 3) that shine with a total power, all around or to one side."""

    points: np.ndarray
    power: np.ndarray
    direction: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Shell:
    """The inside of the room: a box from `low` to `high` whose six faces reflect light.

    `reflectance` is (6, 3), in the order -x, +x, -y, +y, -z, +z.
    """

    low: np.ndarray
    high: np.ndarray
    reflectance: np.ndarray


@dataclass(frozen=True, eq=False)
class Obstacle:
    """Solids that stand close together, with a box around them that is tried first."""

    bound: Solid
    solids: tuple[Solid, ...]

    @staticmethod
    def around(solids: list[Solid]) -> Obstacle:
        """Bound solids by a box along the axes of the room."""
        reach = [np.abs(solid.rotation) @ solid.half for solid in solids]
        low = np.min([s.centre - r for s, r in zip(solids, reach, strict=True)], axis=0)
        high = np.max([s.centre + r for s, r in zip(solids, reach, strict=True)], axis=0)
        bound = Solid((low + high) / 2, (high - low) / 2 + 1e-4, np.eye(3))
        return Obstacle(bound, tuple(solids))


@dataclass(frozen=True, eq=False)
class LightField:
    """Everything that decides how bright a point of the room is."""

    lights: tuple[Light, ...]
    obstacles: tuple[Obstacle, ...]
    shell: Shell
    radiance: np.ndarray
    exposure: float

    def irradiance(self, points: np.ndarray, normals: np.ndarray) -> np.ndarray:
        """Give the light (N, 3) that falls on (N, 3) points, direct and from the walls."""
        direct = direct_light(self.lights, self.obstacles, points, normals)
        return direct + self._bounced(points, normals)

    def _bounced(self, points: np.ndarray, normals: np.ndarray) -> np.ndarray:
        """Look around from every point and gather what the walls and the objects send back."""
        total = np.zeros((len(points), 3), np.float32)
        objects = self.radiance.mean(axis=0) * 0.5
        for direction in _cosine_directions(BOUNCE_DIRECTIONS):
            rays = _align(direction, normals)
            distance, face = _exit(self.shell, points, rays)
            hit = nearest_hit(self.obstacles, points, rays)
            total += np.where((hit < distance)[:, None], objects, self.radiance[face])
        return total / BOUNCE_DIRECTIONS


def light_room(
    lights: tuple[Light, ...], obstacles: tuple[Obstacle, ...], shell: Shell
) -> LightField:
    """Find what each face of the room sends back, and the exposure of the picture.

    Many bounces are taken as one whose strength is the sum of their series.
    """
    direct = np.stack([_mean_direct(lights, obstacles, shell, face) for face in range(6)])
    mean_reflectance = shell.reflectance.mean(axis=0)
    bounced = (direct * shell.reflectance).mean(axis=0) / (1 - 0.75 * mean_reflectance)
    radiance = shell.reflectance * (direct + bounced)
    exposure = 0.52 / float((direct + bounced).mean())
    return LightField(lights, obstacles, shell, radiance.astype(np.float32), exposure)


def direct_light(
    lights: tuple[Light, ...],
    obstacles: tuple[Obstacle, ...],
    points: np.ndarray,
    normals: np.ndarray,
) -> np.ndarray:
    """Add up the light (N, 3) that reaches the points straight from the lights."""
    total = np.zeros((len(points), 3), np.float32)
    for light in lights:
        for source in light.points:
            gain = _received(light, source, points, normals)
            reached = np.flatnonzero(gain > 1e-4)
            origins = points[reached]
            towards = source.astype(np.float32) - origins
            gain[reached] *= nearest_hit(obstacles, origins, towards, limit=0.98) >= 0.98
            total += gain[:, None] * (light.power / len(light.points)).astype(np.float32)
    return total


def _received(
    light: Light, source: np.ndarray, points: np.ndarray, normals: np.ndarray
) -> np.ndarray:
    """Apply Lambert's cosine and the inverse square, softened near the source."""
    towards = source.astype(np.float32) - points
    square = np.einsum('ij,ij->i', towards, towards) + np.float32(0.05)
    gain = np.einsum('ij,ij->i', towards, normals) / (square * np.sqrt(square))
    if light.direction is not None:
        gain *= np.clip(-(towards @ light.direction), 0, None) / np.sqrt(square)
    return np.clip(gain, 0, None).astype(np.float32)


def nearest_hit(
    obstacles: tuple[Obstacle, ...], origins: np.ndarray, rays: np.ndarray, limit: float = np.inf
) -> np.ndarray:
    """Give the nearest hit (N,) of rays with the solids, in lengths of the ray, or `limit`."""
    nearest = np.full(len(origins), limit, np.float32)
    start, ray = np.ascontiguousarray(origins.T), np.ascontiguousarray(rays.T)
    for obstacle in obstacles:
        near = np.flatnonzero(_hit(obstacle.bound, start, ray) < nearest)
        if not len(near):
            continue
        near_start, near_ray = start[:, near], ray[:, near]
        for solid in obstacle.solids:
            nearest[near] = np.minimum(nearest[near], _hit(solid, near_start, near_ray))
    return nearest


def _hit(solid: Solid, start: np.ndarray, ray: np.ndarray) -> np.ndarray:
    """Meet a solid with rays (3, N); a ray that starts inside hits at once, a miss is inf."""
    to_local = (solid.rotation / solid.half).T.astype(np.float32)
    shift = (to_local @ solid.centre.astype(np.float32))[:, None]
    return (_hit_ball if solid.rounded else _hit_box)(to_local @ start - shift, to_local @ ray)


def _hit_box(origin: np.ndarray, ray: np.ndarray) -> np.ndarray:
    """Meet the cube of half side 1."""
    with np.errstate(divide='ignore', invalid='ignore'):
        inverse = 1 / ray
        middle, spread = origin * inverse, np.abs(inverse)
        enter, leave = (-middle - spread).max(axis=0), (spread - middle).min(axis=0)
    met = (leave > enter) & (leave > 1e-3)
    return np.where(met, np.maximum(enter, 0), np.float32(np.inf))


def _hit_ball(origin: np.ndarray, ray: np.ndarray) -> np.ndarray:
    """Meet the sphere of radius 1."""
    a, b = (ray * ray).sum(axis=0), (ray * origin).sum(axis=0)
    discriminant = b * b - a * ((origin * origin).sum(axis=0) - 1)
    root = np.sqrt(np.clip(discriminant, 0, None))
    leave, enter = (root - b) / a, (-b - root) / a
    met = (discriminant > 0) & (leave > 1e-3)
    return np.where(met, np.maximum(enter, 0), np.float32(np.inf))


def _exit(shell: Shell, points: np.ndarray, rays: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give where (in ray lengths) and through which face rays from inside leave the room."""
    with np.errstate(divide='ignore', invalid='ignore'):
        wall = np.where(rays > 0, shell.high, shell.low).astype(np.float32)
        distance = np.where(rays == 0, np.inf, (wall - points) / rays)
    axis = distance.argmin(axis=1)
    along = np.take_along_axis(rays, axis[:, None], axis=1)[:, 0] > 0
    return np.maximum(distance.min(axis=1), 0), 2 * axis + along


def _mean_direct(
    lights: tuple[Light, ...], obstacles: tuple[Obstacle, ...], shell: Shell, face: int
) -> np.ndarray:
    axis, positive = divmod(face, 2)
    steps = np.array([0.12, 0.3, 0.5, 0.7, 0.88])
    a, b = (values.ravel() for values in np.meshgrid(steps, steps))
    unit = np.insert(np.stack([a, b], axis=1), axis, 0.999 if positive else 0.001, axis=1)
    points = shell.low + unit * (shell.high - shell.low)
    normals = np.zeros_like(points)
    normals[:, axis] = -1.0 if positive else 1.0
    return direct_light(lights, obstacles, points.astype(np.float32), normals).mean(axis=0)


def _cosine_directions(count: int) -> np.ndarray:
    """Spread directions over the hemisphere about z as densely as the cosine (a sunflower)."""
    index = np.arange(count) + 0.5
    radius, angle = np.sqrt(index / count), index * (np.pi * (3 - np.sqrt(5)))
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), np.sqrt(1 - radius**2)], 1)


def _align(direction: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """Turn a direction about z into one about each normal."""
    level = np.abs(normals[:, 2:]) < 0.9
    helper = np.where(level, np.eye(3, dtype=np.float32)[2:], np.eye(3, dtype=np.float32)[:1])
    tangent = np.cross(helper, normals)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    bitangent = np.cross(normals, tangent)
    x, y, z = direction.astype(np.float32)
    return x * tangent + y * bitangent + z * normals


def light_maps(surfaces: tuple[Surface, ...], field: LightField) -> list[np.ndarray]:
    """Light a coarse grid over every surface at once; give (rows, columns, 3) maps."""
    shapes = [_map_shape(surface) for surface in surfaces]
    points, normals = zip(
        *(_map_points(surface, shape) for surface, shape in zip(surfaces, shapes, strict=True)),
        strict=True,
    )
    light = _in_blocks(field, np.concatenate(points), np.concatenate(normals)) * field.exposure
    ends = np.cumsum([rows * columns for rows, columns in shapes])
    return [
        part.reshape(*shape, 3)
        for part, shape in zip(np.split(light, ends[:-1]), shapes, strict=True)
    ]


def _map_shape(surface: Surface) -> tuple[int, int]:
    if surface.material.glow > 0:
        return 1, 1
    spacing = 0.10 if max(surface.size_m) > 2.5 else 0.06
    columns, rows = (int(np.clip(np.ceil(side / spacing), 2, 72)) for side in surface.size_m)
    return rows, columns


def _map_points(surface: Surface, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = shape
    u, v = np.meshgrid((np.arange(columns) + 0.5) / columns, (np.arange(rows) + 0.5) / rows)
    points, normals = surface.points_and_normals(u.ravel(), v.ravel())
    return (points + 0.012 * normals).astype(np.float32), normals.astype(np.float32)


def _in_blocks(field: LightField, points: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """Bound the memory and stay in the cache."""
    blocks = [slice(start, start + 8192) for start in range(0, len(points), 8192)]
    return np.concatenate([field.irradiance(points[block], normals[block]) for block in blocks])


def bake(
    surface: Surface, light_map: np.ndarray, hw: tuple[int, int], rng: np.random.Generator
) -> np.ndarray:
    """Paint the lit texture of a surface: (h, w, 3) uint8 sRGB."""
    colours = surface.material.texture(rng, hw, surface.size_m)
    if surface.material.glow > 0:
        return _to_bytes(colours * np.float32(surface.material.glow))
    border = cv2.BORDER_REFLECT if isinstance(surface, Patch) else cv2.BORDER_REPLICATE
    smooth = cv2.GaussianBlur(light_map, (3, 3), 0.7, borderType=border)
    light = cv2.resize(smooth, hw[::-1], interpolation=cv2.INTER_LINEAR)
    return _to_bytes(_tone(colours ** np.float32(GAMMA) * light) ** np.float32(1 / GAMMA))


def _tone(linear: np.ndarray) -> np.ndarray:
    """Roll bright light off towards white instead of clipping it."""
    return linear * (1 + linear * np.float32(0.16)) / (1 + linear) * np.float32(1.25)


def _to_bytes(colours: np.ndarray) -> np.ndarray:
    return (np.clip(colours, 0, 1) * np.float32(255) + np.float32(0.5)).astype(np.uint8)
