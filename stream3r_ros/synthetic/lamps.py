"""Lamps of a varied room, of different kinds, strengths and colours."""

from __future__ import annotations

import numpy as np

from stream3r_ros.synthetic import textures
from stream3r_ros.synthetic.assembly import Assembly
from stream3r_ros.synthetic.lighting import Light
from stream3r_ros.synthetic.patterns import tint
from stream3r_ros.synthetic.site import Site
from stream3r_ros.synthetic.surfaces import Material

MOST_LAMPS = 5
AREA_OF_A_LAMP_M2 = 18.0
WARM, COLD = np.array([1.15, 0.97, 0.74]), np.array([0.90, 1.0, 1.12])


def add_lamps(site: Site) -> int:
    """Hang at least one lamp, and more in larger rooms, each of its own power and colour."""
    width, depth, _ = site.plan.size_m
    most = min(MOST_LAMPS, 2 + int(width * depth / AREA_OF_A_LAMP_M2))
    count = int(site.rng.integers(max(1, most - 2), most + 1))
    for _ in range(count):
        _lamp(site)
    return count


def _lamp(site: Site) -> None:
    rng, height = site.rng, site.plan.size_m[2]
    place = _open_place(site)
    colour = _colour(rng)
    shown = tuple(np.clip(colour / colour.max() + 0.1, 0, 1).tolist())
    glowing = Material(textures.flat(shown), glow=1.0)
    lamp = Assembly()
    kind = rng.integers(3) if height > 2.7 else rng.integers(2)
    bottom = (_panel, _dome, _pendant)[kind](lamp, site, place, glowing)
    site.hang(lamp)
    ring = np.arange(4) * (np.pi / 2) + 0.5
    points = [[place[0] + 0.12 * np.cos(a), place[1] + 0.12 * np.sin(a), bottom] for a in ring]
    site.lights.append(Light(np.array(points), rng.uniform(2.5, 10.0) * colour))


def _open_place(site: Site) -> np.ndarray:
    """Draw a place (x, y) away from walls, masonry and other lamps: the widest of a few."""
    half = np.array(site.plan.size_m[:2]) / 2 - 0.4
    places = site.rng.uniform(-half, half, (8, 2))
    room = site.plan.clearance(places)
    for light in site.lights:
        away = np.linalg.norm(places - light.points[:, :2].mean(axis=0), axis=1)
        room = np.minimum(room, away)
    return places[room.argmax()]


def _colour(rng: np.random.Generator) -> np.ndarray:
    """Draw the colour of a light: mostly between warm and cold white, sometimes any hue."""
    if rng.random() < 0.12:
        return np.array(tint(rng, (0.2, 0.5), (1.0, 1.0)))
    share = rng.random()
    return share * WARM + (1 - share) * COLD


def _panel(lamp: Assembly, site: Site, place: np.ndarray, glowing: Material) -> float:
    """Fix a flat panel to the ceiling; give the height from which it shines."""
    height, (width, depth) = site.plan.size_m[2], site.rng.uniform(0.3, 0.7, 2)
    frame = Material(textures.flat((0.85, 0.85, 0.85)))
    bottom = (place[0], place[1], height - 0.04)
    lamp.box(bottom, (width, depth, 0.04), frame, solid=False)
    lamp.sheet(bottom, (width, depth), glowing, downward=True)
    return height - 0.10


def _dome(lamp: Assembly, site: Site, place: np.ndarray, glowing: Material) -> float:
    """Fix a half ball to the ceiling; give the height from which it shines."""
    height, radius = site.plan.size_m[2], site.rng.uniform(0.12, 0.25)
    lamp.ball((place[0], place[1], height), (radius, radius, 0.12), glowing, solid=False)
    return height - 0.20


def _pendant(lamp: Assembly, site: Site, place: np.ndarray, glowing: Material) -> float:
    """Hang a shade with a bulb from the ceiling; give the height from which it shines."""
    height, rng = site.plan.size_m[2], site.rng
    x, y, drop = place[0], place[1], rng.uniform(0.4, min(0.4 * height, 1.2) - 0.1)
    wire = Material(textures.flat((0.2, 0.2, 0.2)))
    cover = Material(textures.flat(site.style.colour(rng)))
    bottom, radius = height - drop, rng.uniform(0.16, 0.32)
    lamp.tube((x, y, bottom + 0.2), (0.008, 0.008), drop - 0.2, wire, lid=False, solid=False)
    lamp.tube((x, y, bottom), (radius, 0.3 * radius), 0.20, cover, solid=False)
    lamp.ball((x, y, bottom + 0.03), (0.07,) * 3, glowing, solid=False)
    return bottom - 0.02
