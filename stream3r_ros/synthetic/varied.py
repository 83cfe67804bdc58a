"""Rooms of every kind: plan, size, colours, openings, lamps and objects drawn from a seed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stream3r_ros.synthetic import furniture, textures
from stream3r_ros.synthetic.assembly import Assembly
from stream3r_ros.synthetic.floorplan import BEYOND_M, FloorPlan
from stream3r_ros.synthetic.lamps import add_lamps
from stream3r_ros.synthetic.layout import Furnishing, Wall
from stream3r_ros.synthetic.openings import add_doors, add_pictures, add_windows
from stream3r_ros.synthetic.patterns import Style, floor_cover, tint, wall_cover
from stream3r_ros.synthetic.primitives import AGAINST_WALLS, ANYWHERE, SMALL, Primitive
from stream3r_ros.synthetic.site import Site
from stream3r_ros.synthetic.surfaces import Material

FEWEST_OBJECTS, MOST_OBJECTS = 5, 20
MOST_FURNITURE = 3
WIDEST_WAY_M = 1.3
TRIES = 300

FURNITURE: tuple[Primitive, ...] = (
    furniture.sofa,
    furniture.bookshelf,
    furniture.sideboard,
    furniture.television,
    furniture.desk,
    furniture.wardrobe,
    furniture.bed,
    furniture.armchair,
    furniture.plant,
)


def furnish_varied(rng: np.random.Generator) -> Furnishing:
    """Draw a whole room of any kind from a generator."""
    site = Site(rng, FloorPlan.draw(rng), Style.draw(rng))
    reflectance = _add_shell(site)
    _keep_a_way_free(site)
    add_doors(site)
    add_windows(site)
    add_lamps(site)
    _add_objects(site)
    add_pictures(site)
    return site.furnishing(reflectance)


def _add_shell(site: Site) -> np.ndarray:
    """Add floor, ceiling, walls and masonry, and give the (6, 3) mean reflectances."""
    rng, style, (width, depth, height) = site.rng, site.style, site.plan.size_m
    ceiling = tint(rng, (0.0, 0.12), (0.75, 0.97))
    level = (width + 2 * BEYOND_M, depth + 2 * BEYOND_M)
    site.room.sheet((0, 0, 0), level, Material(floor_cover(rng, style)))
    paint = Material(textures.paint(ceiling, 0.015), detail=0.6)
    site.room.sheet((0, 0, height), level, paint, downward=True)
    skirting = float(rng.uniform(0.04, 0.14)) if rng.random() < 0.7 else 0.0
    cover = Material(wall_cover(rng, style, style.wall))
    for number, wall in enumerate(site.plan.walls):
        own = rng.random() < 0.3 * style.busyness + 0.1
        colour = style.accent if rng.random() < 0.4 else style.wall
        material = Material(wall_cover(rng, style, colour)) if own else cover
        _add_wall(site, wall, material, skirting, BEYOND_M if number < 4 else 0.0)
    return np.array([style.wall] * 4 + [style.floor, ceiling]) ** 2.2


def _add_wall(site: Site, wall: Wall, material: Material, skirting: float, beyond: float) -> None:
    height, side = site.plan.size_m[2], Assembly()
    size = (wall.length + 2 * beyond, height + 2 * BEYOND_M)
    side.panel((0, 0, height / 2), size, material)
    if skirting:
        board = Material(textures.paint((0.93, 0.92, 0.90), 0.02))
        side.box((0, 0.008, 0), (wall.length, 0.016, skirting), board, solid=False)
    site.room.add(side, wall.middle, wall.angle_rad)


def _keep_a_way_free(site: Site) -> None:
    """Reserve an open place on the floor, so that every room has a way for every camera."""
    half = np.array(site.plan.size_m[:2]) / 2
    places = site.rng.uniform(-half, half, (200, 2))
    room = site.plan.clearance(places)
    wide = np.flatnonzero(room > 0.8 * room.max())
    chosen = wide[site.rng.integers(len(wide))]
    reach = min(0.7 * room[chosen], WIDEST_WAY_M)
    low, high = places[chosen] - reach, places[chosen] + reach
    site.taken.append((np.array([*low, 0]), np.array([*high, 2.0])))


def _add_objects(site: Site) -> None:
    """Stand objects against walls and anywhere until as many as drawn have found a place."""
    count = int(site.rng.integers(FEWEST_OBJECTS, MOST_OBJECTS + 1))
    furnished = int(site.rng.integers(0, MOST_FURNITURE + 1))
    for _ in range(TRIES):
        if len(site.objects) >= count:
            return
        if len(site.objects) < furnished:
            _against_a_wall(site, FURNITURE)
        elif site.rng.random() < 0.5:
            _against_a_wall(site, AGAINST_WALLS)
        else:
            _anywhere(site, ANYWHERE)
    for _ in range(10 * TRIES):
        if len(site.objects) >= FEWEST_OBJECTS:
            return
        _anywhere(site, SMALL)
    raise RuntimeError(f'no place for {FEWEST_OBJECTS} objects in a room of {site.plan.size_m} m')


def _against_a_wall(site: Site, makers: Sequence[Primitive]) -> bool:
    wall = site.plan.walls[int(site.rng.integers(len(site.plan.walls)))]
    maker = makers[int(site.rng.integers(len(makers)))]
    place = wall.place(site.rng.uniform(-0.5, 0.5) * wall.length, site.rng.uniform(0.02, 0.10))
    return _stand(site, maker, place, wall.angle_rad)


def _anywhere(site: Site, makers: Sequence[Primitive]) -> bool:
    half = np.array(site.plan.size_m[:2]) / 2
    place = np.array([*site.rng.uniform(-half, half), 0.0])
    maker = makers[int(site.rng.integers(len(makers)))]
    return _stand(site, maker, place, site.rng.uniform(0, 2 * np.pi))


def _stand(site: Site, maker: Primitive, place: np.ndarray, angle_rad: float) -> bool:
    piece = Assembly()
    x, y, z = place.tolist()
    piece.add(maker(site.rng, site.style), (x, y, z), angle_rad)
    return site.stand(maker.__name__, piece)
