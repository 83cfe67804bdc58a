"""Objects of boxes, cylinders, cones and spheres, each drawn from a generator and a style.

A maker returns an Assembly in the object's own frame: x along the wall behind it, y into the
room, z up, the origin on the floor at the middle of its back.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from stream3r_ros.synthetic.assembly import Assembly
from stream3r_ros.synthetic.patterns import Style, object_cover, poster
from stream3r_ros.synthetic.surfaces import Material

Primitive = Callable[[np.random.Generator, Style], Assembly]


def _cover(rng: np.random.Generator, style: Style) -> Material:
    return Material(object_cover(rng, style))


def _print(rng: np.random.Generator, style: Style) -> Material:
    return Material(poster([style.colour(rng) for _ in range(4)]), detail=1.5)


def box(rng: np.random.Generator, style: Style) -> Assembly:
    """Make a box of any proportions, sometimes with a printed front."""
    piece = Assembly()
    width, depth, height = rng.uniform((0.2, 0.2, 0.2), (1.0, 0.6, 1.3))
    front = _print(rng, style) if rng.random() < 0.3 else None
    piece.box((0, depth / 2, 0), (width, depth, height), _cover(rng, style), front=front)
    return piece


def cylinder(rng: np.random.Generator, style: Style) -> Assembly:
    """Make an upright cylinder, from a drum to a post."""
    piece = Assembly()
    radius = rng.uniform(0.08, 0.38)
    height = rng.uniform(0.25, 1.4)
    piece.tube((0, radius, 0), (radius, radius), height, _cover(rng, style))
    return piece


def cone(rng: np.random.Generator, style: Style) -> Assembly:
    """Make a cone without its tip."""
    piece = Assembly()
    radius = rng.uniform(0.15, 0.35)
    top = radius * rng.uniform(0.1, 0.8)
    piece.tube((0, radius, 0), (radius, top), rng.uniform(0.3, 1.1), _cover(rng, style))
    return piece


def sphere(rng: np.random.Generator, style: Style) -> Assembly:
    """Make a ball, sometimes flattened or stretched."""
    piece = Assembly()
    radius = rng.uniform(0.12, 0.45)
    height = radius * rng.uniform(0.6, 1.3)
    piece.ball((0, radius, height), (radius, radius, height), _cover(rng, style))
    return piece


def tower(rng: np.random.Generator, style: Style) -> Assembly:
    """Stack boxes and cylinders, with a ball on top."""
    piece, bottom = Assembly(), 0.0
    side = rng.uniform(0.35, 0.6)
    middle = side / 2
    for _ in range(rng.integers(2, 5)):
        height = rng.uniform(0.15, 0.4)
        if rng.random() < 0.6:
            piece.box((0, middle, bottom), (side, side, height), _cover(rng, style))
        else:
            piece.tube((0, middle, bottom), (side / 2, side / 2), height, _cover(rng, style))
        bottom, side = bottom + height, side * rng.uniform(0.7, 1.0)
    piece.ball((0, middle, bottom + 0.35 * side), (0.35 * side,) * 3, _cover(rng, style))
    return piece


def table(rng: np.random.Generator, style: Style) -> Assembly:
    """Make a table with four legs and things on it."""
    piece, wood = Assembly(), _cover(rng, style)
    width, depth, height = rng.uniform((0.6, 0.45, 0.35), (1.6, 0.8, 0.9))
    top, leg = rng.uniform(0.02, 0.05), rng.uniform(0.015, 0.035)
    for x in (-1, 1):
        for y in (2 * leg, depth - 2 * leg):
            piece.tube((x * (width / 2 - 2 * leg), y, 0), (leg, leg), height, wood, lid=False)
    piece.box((0, depth / 2, height), (width, depth, top), wood, underside=True)
    _things(piece, rng, style, (0, depth / 2, height + top), width)
    return piece


def round_table(rng: np.random.Generator, style: Style) -> Assembly:
    """Make a round table on one leg."""
    piece, wood = Assembly(), _cover(rng, style)
    radius, height = rng.uniform(0.28, 0.6), rng.uniform(0.4, 1.05)
    piece.tube((0, radius, 0), (0.5 * radius, 0.45 * radius), 0.03, wood)
    piece.tube((0, radius, 0.03), (0.04, 0.04), height - 0.03, wood, lid=False)
    piece.tube((0, radius, height), (radius, radius), 0.035, wood, underside=True)
    _things(piece, rng, style, (0, radius, height + 0.035), 1.2 * radius)
    return piece


def shelf(rng: np.random.Generator, style: Style) -> Assembly:
    """Make an open shelf with a few things on every board."""
    piece, wood = Assembly(), _cover(rng, style)
    width, depth, boards = rng.uniform(0.6, 1.5), rng.uniform(0.25, 0.4), int(rng.integers(2, 5))
    gap = rng.uniform(0.34, 0.45)
    for side in (-1, 1):
        x = side * (width / 2 - 0.015)
        piece.box((x, depth / 2, 0), (0.03, depth, boards * gap + 0.025), wood)
    piece.panel((0, 0.01, boards * gap / 2), (width, boards * gap), wood)
    for number in range(boards + 1):
        inner = (width - 0.06, depth, 0.025)
        piece.box((0, depth / 2, number * gap), inner, wood, underside=True)
    for number in range(boards):
        bottom = (0, depth / 2, number * gap + 0.025)
        _things(piece, rng, style, bottom, width - 0.1, highest=gap - 0.06)
    return piece


def bench(rng: np.random.Generator, style: Style) -> Assembly:
    """Make a bench or chair with a back."""
    piece, cloth = Assembly(), _cover(rng, style)
    width, depth, seat = rng.uniform((0.5, 0.4, 0.35), (1.8, 0.7, 0.5))
    piece.box((0, depth / 2, 0.08), (width, depth, seat - 0.08), cloth, underside=True)
    piece.box((0, 0.06, seat), (width, 0.12, rng.uniform(0.25, 0.6)), _cover(rng, style))
    for x in (-1, 1):
        piece.box((x * (width / 2 - 0.05), depth / 2, 0), (0.06, depth - 0.1, 0.08), cloth)
    return piece


def cupboard(rng: np.random.Generator, style: Style) -> Assembly:
    """Make a tall or low cupboard with a front of its own."""
    piece = Assembly()
    width, depth, height = rng.uniform((0.5, 0.3, 0.7), (1.6, 0.6, 2.1))
    front = _print(rng, style) if rng.random() < 0.3 else _cover(rng, style)
    piece.box((0, depth / 2, 0), (width, depth, height), _cover(rng, style), front=front)
    if height < 1.3:
        _things(piece, rng, style, (0, depth / 2, height), width)
    return piece


def screen(rng: np.random.Generator, style: Style) -> Assembly:
    """Make an upright board on two feet with a poster on it."""
    piece, frame = Assembly(), _cover(rng, style)
    width, height = rng.uniform(0.5, 1.2), rng.uniform(0.9, 1.9)
    for x in (-1, 1):
        piece.box((x * width * 0.4, 0.15, 0), (0.05, 0.3, 0.04), frame)
    front = _print(rng, style)
    piece.box((0, 0.15, 0.04), (width, 0.04, height), frame, front=front, underside=True)
    return piece


def _things(
    piece: Assembly,
    rng: np.random.Generator,
    style: Style,
    middle: tuple[float, float, float],
    width: float,
    highest: float = 0.35,
) -> None:
    """Put up to three small things side by side on a level place."""
    count = int(rng.integers(0, 4))
    for number in range(count):
        x = middle[0] + width * ((number + 0.5) / count - 0.5)
        reach = min(0.11, 0.4 * width / count)
        height = rng.uniform(0.4, 1.0) * highest
        kind, cover = rng.integers(4), _cover(rng, style)
        if kind == 0:
            top = middle[2] + height / 2
            piece.ball((x, middle[1], top), (reach, reach, height / 2), cover)
        elif kind == 1:
            radii = (reach, reach * rng.uniform(0.4, 1.0))
            piece.tube((x, middle[1], middle[2]), radii, height, cover)
        else:
            piece.box((x, middle[1], middle[2]), (1.8 * reach, 1.4 * reach, height), cover)


AGAINST_WALLS: tuple[Primitive, ...] = (shelf, cupboard, bench, table, box, screen, tower)
ANYWHERE: tuple[Primitive, ...] = (
    box,
    cylinder,
    cone,
    sphere,
    tower,
    table,
    round_table,
    bench,
    screen,
)
SMALL: tuple[Primitive, ...] = (cylinder, sphere)
