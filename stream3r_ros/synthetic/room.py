"""A furnished room, different for every seed, and pictures of it with exact depth."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from stream3r_ros.synthetic.atlas import LEVELS, Atlas
from stream3r_ros.synthetic.layout import Furnishing, furnish
from stream3r_ros.synthetic.lighting import bake, light_maps, light_room
from stream3r_ros.synthetic.raycast import Caster, Hits, View
from stream3r_ros.synthetic.surfaces import Solid, Surface
from stream3r_ros.synthetic.varied import furnish_varied

BAND_PIXELS = 40_000


@dataclass(frozen=True, eq=False)
class Rendering:
    """A picture of the room.

    `image_rgb` is (h, w, 3) uint8; `depth_m` is (h, w) float32, along the optical axis at the
    pixel centres, in metres, and everywhere finite.
    """

    image_rgb: np.ndarray
    depth_m: np.ndarray


@dataclass(frozen=True, eq=False)
class SyntheticRoom:
    """A furnished room: x and y along the walls, z up, the origin in the middle of the floor.

    `size_m` is width, depth and height, of the box around rooms that are no box; `objects` names
    the pieces of furniture in it. `solids` are what the camera must not enter.
    """

    seed: int
    size_m: tuple[float, float, float]
    objects: tuple[str, ...]
    solids: tuple[Solid, ...]
    caster: Caster
    atlas: Atlas

    @staticmethod
    def from_seed(seed: int, texels_per_m: float = 128.0) -> SyntheticRoom:
        """Build the room of a seed; the same seed and resolution give the same room.

        `texels_per_m` sets the sharpness of the textures, the memory (about 12 MB at 128) and
        the time it takes (about a second).
        """
        _refuse_negative(seed)
        return _build(furnish(np.random.default_rng([seed, 1])), (seed, 2), texels_per_m)

    @staticmethod
    def varied(seed: int, texels_per_m: float = 128.0) -> SyntheticRoom:
        """Build a room of any kind: of any plan, size, colours, openings, lamps and objects.

        None of them is a room of `from_seed`, which are furnished homes of one kind.
        """
        _refuse_negative(seed)
        return _build(furnish_varied(np.random.default_rng([seed, 4])), (seed, 5), texels_per_m)

    def render(
        self,
        world_from_camera: np.ndarray,
        intrinsics: np.ndarray,
        image_hw: tuple[int, int],
        supersample: int = 1,
    ) -> Rendering:
        """Take a picture from a camera in optical axes (x right, y down, z forward).

        `world_from_camera` is (4, 4), `intrinsics` (3, 3) without skew. `supersample` n averages
        n x n rays a pixel for the colours; the depth stays that of the pixel centres. A camera
        outside the room sees nothing of its walls, and a ray that meets nothing has depth inf.
        """
        depth, image = self._cast_image(world_from_camera, intrinsics, image_hw)
        if supersample > 1:
            fine_hw = image_hw[0] * supersample, image_hw[1] * supersample
            fine = _finer(intrinsics, supersample)
            image = self._cast_image(world_from_camera, fine, fine_hw)[1]
            image = cv2.resize(image, image_hw[::-1], interpolation=cv2.INTER_AREA)
        return Rendering(image, depth)

    def clearance(self, points: np.ndarray) -> np.ndarray:
        """Give how far (..., 3) points are from the walls and from the boxes around all solids.

        In metres; 0 inside an object or masonry and negative outside the room.
        """
        height = np.asarray(points, float)[..., 2]
        level = np.minimum(height, self.size_m[2] - height)
        return np.minimum(level, self.clearance_around(points))

    def clearance_around(self, points: np.ndarray) -> np.ndarray:
        """Give the clearance (...) of (..., 3) points as if there were no floor and no ceiling."""
        points = np.asarray(points, float)
        nearest = (np.array(self.size_m[:2]) / 2 - np.abs(points[..., :2])).min(axis=-1)
        for solid in self.solids:
            nearest = np.minimum(nearest, solid.distance(points))
        return nearest

    def _cast_image(
        self, world_from_camera: np.ndarray, intrinsics: np.ndarray, image_hw: tuple[int, int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Cast the image in bands of rows, which keeps the arrays in the cache."""
        height, width = image_hw
        x = ((np.arange(width) - intrinsics[0, 2]) / intrinsics[0, 0]).astype(np.float32)
        y = ((np.arange(height) - intrinsics[1, 2]) / intrinsics[1, 1]).astype(np.float32)
        depth, image = np.empty(image_hw, np.float32), np.empty((*image_hw, 3), np.uint8)
        rows = max(BAND_PIXELS // width, 1)
        for top in range(0, height, rows):
            band = slice(top, top + rows)
            view = View(world_from_camera[:3, 3], world_from_camera[:3, :3], x, y[band])
            hits = self.caster.cast(view)
            with np.errstate(divide='ignore'):
                np.divide(1, hits.inverse_depth, out=depth[band])
            image[band] = self._colours(view, hits, depth[band], float(intrinsics[0, 0]))
        return depth, image

    def _colours(self, view: View, hits: Hits, depth: np.ndarray, focal: float) -> np.ndarray:
        level = self._levels(view, hits, depth, focal)
        colours = self.atlas.sample(
            hits.surface.ravel(), level.ravel(), hits.u.ravel(), hits.v.ravel()
        )
        return colours.reshape(*depth.shape, 3)

    def _levels(self, view: View, hits: Hits, depth: np.ndarray, focal: float) -> np.ndarray:
        """Choose the texture level whose texels are about as large as a pixel on the surface.

        A slanted surface takes the geometric mean of its two stretches.
        """
        before = self.caster.front_distance(view.position)
        sharpness = (self._texels_per_m / focal) ** 2
        flat = before > 1e-6
        slant = np.where(flat, sharpness / np.where(flat, before, 1), 0).astype(np.float32)
        straight = np.where(flat, 0, sharpness).astype(np.float32)
        length = np.sqrt(view.x**2 + (view.y**2 + 1)[:, None])
        finite = np.minimum(depth, np.float32(1e3))
        square = (
            finite * finite * (slant[hits.surface] * (finite * length) + straight[hits.surface])
        )
        return np.clip(np.frexp(square)[1] // 2, 0, LEVELS - 1)

    @cached_property
    def _texels_per_m(self) -> np.ndarray:
        widths = np.array([surface.size_m[0] for surface in self.caster.surfaces])
        return self.atlas.width[::LEVELS] / widths


def _finer(intrinsics: np.ndarray, factor: int) -> np.ndarray:
    fine = np.array(intrinsics, float)
    fine[:2] *= factor
    fine[:2, 2] += (factor - 1) / 2
    return fine


def _refuse_negative(seed: int) -> None:
    if seed < 0:
        raise ValueError(f'seed is {seed}, expected 0 or more')


def _build(furnishing: Furnishing, seed: tuple[int, int], texels_per_m: float) -> SyntheticRoom:
    solids = [solid for obstacle in furnishing.obstacles for solid in obstacle.solids]
    return SyntheticRoom(
        seed[0],
        furnishing.size_m,
        furnishing.objects,
        (*solids, *furnishing.hulls),
        Caster.of(furnishing.surfaces),
        _paint(furnishing, seed, texels_per_m),
    )


def _paint(furnishing: Furnishing, seed: tuple[int, int], texels_per_m: float) -> Atlas:
    """Light and paint every surface, each with a generator of its own."""
    field = light_room(furnishing.lights, furnishing.obstacles, furnishing.shell)
    maps = light_maps(furnishing.surfaces, field)
    pictures = []
    for index, (surface, light_map) in enumerate(zip(furnishing.surfaces, maps, strict=True)):
        hw = _texture_hw(surface, texels_per_m)
        pictures.append(bake(surface, light_map, hw, np.random.default_rng([*seed, index])))
    return Atlas.from_pictures(pictures)


def _texture_hw(surface: Surface, texels_per_m: float) -> tuple[int, int]:
    density = texels_per_m * surface.material.detail
    width, height = (int(np.clip(round(side * density), 4, 2048)) for side in surface.size_m)
    return height, width
