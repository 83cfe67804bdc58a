"""Doors, windows and pictures on the walls of a varied room."""

from __future__ import annotations

import numpy as np

from stream3r_ros.synthetic import textures
from stream3r_ros.synthetic.assembly import Assembly
from stream3r_ros.synthetic.layout import Wall
from stream3r_ros.synthetic.lighting import Light
from stream3r_ros.synthetic.patterns import poster, tint
from stream3r_ros.synthetic.site import Site
from stream3r_ros.synthetic.surfaces import Material, turn

MOST_DOORS, MOST_WINDOWS, MOST_PICTURES = 3, 4, 9
TRIES = 12
DAYLIGHT = ((0.85, 0.95, 1.10), (1.0, 1.0, 1.0), (1.15, 0.95, 0.75))


def add_doors(site: Site) -> int:
    """Put one to three doors anywhere on the walls, the floor before them free."""
    return _repeat(site, int(site.rng.integers(1, MOST_DOORS + 1)), _door, site.plan.walls)


def add_windows(site: Site) -> int:
    """Put up to four windows into the outer walls; daylight comes through them."""
    return _repeat(site, int(site.rng.integers(0, MOST_WINDOWS + 1)), _window, site.plan.walls[:4])


def add_pictures(site: Site) -> int:
    """Hang pictures and posters, more of them in busier rooms."""
    count = int(round(site.style.busyness * MOST_PICTURES * site.rng.uniform(0.4, 1)))
    return _repeat(site, count, _picture, site.plan.walls)


def _repeat(site: Site, count, add, walls: tuple[Wall, ...]) -> int:
    """Add something `count` times, each on any wall that has room; give how many found one."""
    return sum(
        any(add(site, walls[site.rng.integers(len(walls))]) for _ in range(TRIES))
        for _ in range(count)
    )


def _somewhere(site: Site, wall: Wall, width: float) -> float:
    """Draw a place along a wall; on too short a wall it is refused by the claim."""
    room = max(wall.length - width, 0) / 2
    return float(site.rng.uniform(-room, room))


def _door(site: Site, wall: Wall) -> bool:
    rng, style = site.rng, site.style
    width = rng.uniform(0.7, 1.0) * (1.8 if rng.random() < 0.15 else 1.0)
    height = rng.uniform(1.9, 2.15)
    x = _somewhere(site, wall, width + 0.2)
    reach = width / 2 + 0.09
    if not site.claim(wall, (x - reach, 0, 0), (x + reach, 0.6, height + 0.09)):
        return False
    painted = bool(rng.random() < 0.5)
    colour = tint(rng, (0.0, 0.5), (0.5, 0.95)) if painted else style.wood
    columns, rows = int(rng.integers(1, 3)), int(rng.integers(1, 5))
    leaf = Material(textures.panelled(colour, columns, rows, 0.08, painted=painted))
    frame = Material(textures.paint(tint(rng, (0, 0.3), (0.4, 0.95)), 0.02))
    side = Assembly()
    side.box((x, 0.015, 0), (width, 0.03, height), frame, front=leaf, solid=False)
    for offset in (-1, 1):
        jamb = (x + offset * (width / 2 + 0.04), 0.025, 0)
        side.box(jamb, (0.08, 0.05, height + 0.08), frame, solid=False)
    side.box((x, 0.025, height), (width, 0.05, 0.08), frame, underside=True, solid=False)
    brass = Material(textures.flat((0.80, 0.66, 0.36)))
    side.ball((x + 0.43 * width, 0.06, 1.0), (0.03,) * 3, brass, solid=False)
    site.mount(wall, side)
    return True


def _window(site: Site, wall: Wall) -> bool:
    rng = site.rng
    width, bottom = rng.uniform(0.6, 2.4), rng.uniform(0.3, 1.1)
    height = rng.uniform(0.7, min(1.7, site.plan.size_m[2] - bottom - 0.35))
    curtains = bool(rng.random() < 0.4)
    reach = width / 2 + (0.45 if curtains else 0.08)
    x = _somewhere(site, wall, 2 * reach)
    above = bottom + height + 0.2
    if not site.claim(wall, (x - reach, 0, bottom - 0.2), (x + reach, 0.16, above)):
        return False
    brightness = float(rng.uniform(0.45, 1.0))
    side = Assembly()
    _glaze(side, site, (x, bottom), (width, height), brightness)
    if curtains:
        _curtains(side, site, (x, bottom), (width, height))
    site.mount(wall, side)
    site.lights.append(_daylight(site, wall, (x, bottom), (width, height), brightness))
    return True


def _glaze(
    side: Assembly,
    site: Site,
    corner: tuple[float, float],
    size: tuple[float, float],
    brightness: float,
) -> None:
    """Show the outside in a frame with a sill."""
    (x, bottom), (width, height) = corner, size
    frame = Material(textures.paint(tint(site.rng, (0, 0.4), (0.4, 0.97)), 0.02))
    outside = Material(textures.view_outside(), glow=brightness, detail=1.3)
    side.panel((x, 0.012, bottom + height / 2), (width, height), outside)
    for edge in (-1, 1):
        place = (x + edge * width / 2, 0.03, bottom)
        side.box(place, (0.07, 0.06, height), frame, solid=False)
    for z, deep in ((bottom - 0.05, 0.12), (bottom + height, 0.06)):
        board = (width + 0.1, deep, 0.05)
        side.box((x, deep / 2, z), board, frame, underside=True, solid=False)


def _curtains(
    side: Assembly, site: Site, corner: tuple[float, float], size: tuple[float, float]
) -> None:
    (x, bottom), (width, height) = corner, size
    cloth = Material(textures.curtain(site.style.colour(site.rng)))
    for edge in (-1, 1):
        place = (x + edge * (width / 2 + 0.2), 0.09, bottom - 0.18)
        drop = (0.4, 0.07, height + 0.36)
        side.box(place, drop, cloth, underside=True, solid=False)


def _daylight(
    site: Site,
    wall: Wall,
    corner: tuple[float, float],
    size: tuple[float, float],
    brightness: float,
) -> Light:
    """Shine inwards from six points of the window, as strong as it is large and bright."""
    (x, bottom), (width, height) = corner, size
    points = [
        wall.place(x + share * width, 0.17, bottom + up * height)
        for share in (-0.33, 0.0, 0.33)
        for up in (0.25, 0.75)
    ]
    colour = np.array(DAYLIGHT[site.rng.integers(len(DAYLIGHT))])
    inward = turn(wall.angle_rad) @ np.array([0.0, 1.0, 0.0])
    return Light(np.array(points), 7.0 * width * height * brightness**2 * colour, inward)


def _picture(site: Site, wall: Wall) -> bool:
    rng, style = site.rng, site.style
    width, height = rng.uniform(0.35, 1.3), rng.uniform(0.3, 1.0)
    x, middle = _somewhere(site, wall, width + 0.1), rng.uniform(1.3, 1.75)
    low = (x - width / 2 - 0.05, 0, middle - height / 2 - 0.05)
    if not site.claim(wall, low, (-low[0] + 2 * x, 0.06, middle + height / 2 + 0.05)):
        return False
    colours = [style.colour(rng) for _ in range(5)]
    canvas = poster(colours) if rng.random() < 0.5 else textures.painting(colours, style.wood)
    rim, front = Material(textures.wood(style.wood)), Material(canvas, detail=1.5)
    side, deep = Assembly(), rng.uniform(0.008, 0.04)
    place = (x, deep / 2, middle - height / 2)
    side.box(place, (width, deep, height), rim, front=front, underside=True, solid=False)
    site.mount(wall, side)
    return True
