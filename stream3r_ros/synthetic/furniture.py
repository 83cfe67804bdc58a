"""Pieces of furniture, each drawn from a generator and a palette.

A maker returns an Assembly in the object's own frame: x along the wall behind it, y into the
room, z up, the origin on the floor at the middle of its back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from stream3r_ros.synthetic import textures
from stream3r_ros.synthetic.assembly import Assembly
from stream3r_ros.synthetic.surfaces import Material
from stream3r_ros.synthetic.textures import Colour


@dataclass(frozen=True)
class Palette:
    """Colours that go together: sRGB in [0, 1]."""

    wall: Colour
    accent: Colour
    fabric: Colour
    second: Colour
    wood: Colour
    floor: Colour

    @property
    def bright(self) -> list[Colour]:
        """Give the colours for small and patterned things."""
        return [self.accent, self.fabric, self.second, (0.90, 0.86, 0.76), (0.22, 0.25, 0.30)]


PALETTES = (
    Palette(
        (0.90, 0.86, 0.79),
        (0.40, 0.52, 0.46),
        (0.78, 0.45, 0.32),
        (0.22, 0.36, 0.47),
        (0.56, 0.36, 0.22),
        (0.66, 0.47, 0.30),
    ),
    Palette(
        (0.82, 0.86, 0.88),
        (0.25, 0.40, 0.54),
        (0.87, 0.69, 0.30),
        (0.58, 0.27, 0.29),
        (0.67, 0.50, 0.34),
        (0.56, 0.41, 0.29),
    ),
    Palette(
        (0.93, 0.90, 0.84),
        (0.58, 0.70, 0.57),
        (0.28, 0.44, 0.58),
        (0.88, 0.55, 0.42),
        (0.45, 0.30, 0.20),
        (0.74, 0.57, 0.39),
    ),
    Palette(
        (0.88, 0.81, 0.74),
        (0.52, 0.25, 0.27),
        (0.32, 0.42, 0.36),
        (0.89, 0.73, 0.48),
        (0.62, 0.43, 0.27),
        (0.50, 0.34, 0.23),
    ),
    Palette(
        (0.93, 0.93, 0.91),
        (0.36, 0.43, 0.47),
        (0.72, 0.67, 0.60),
        (0.86, 0.48, 0.35),
        (0.79, 0.64, 0.46),
        (0.70, 0.60, 0.48),
    ),
)

Maker = Callable[[np.random.Generator, Palette], Assembly]


def upholstery(rng: np.random.Generator, palette: Palette) -> Material:
    """Choose the cloth of a seat."""
    colour = (palette.fabric, palette.second, palette.accent)[rng.integers(3)]
    if rng.random() < 0.3:
        return Material(textures.plaid(colour, palette.wall, palette.wood))
    return Material(textures.fabric(colour))


def sofa(rng: np.random.Generator, palette: Palette) -> Assembly:
    """Make a sofa with two or three seats, arms and cushions."""
    piece, cloth = Assembly(), upholstery(rng, palette)
    width, seats = (2.1, 3) if rng.random() < 0.6 else (1.6, 2)
    piece.box((0, 0.46, 0.06), (width, 0.86, 0.22), cloth)
    piece.box((0, 0.13, 0.28), (width - 0.34, 0.22, 0.52), cloth)
    for side in (-1, 1):
        piece.box((side * (width / 2 - 0.09), 0.46, 0.28), (0.18, 0.86, 0.32), cloth)
    seat = (width - 0.36) / seats
    for number in range(seats):
        x = (number - (seats - 1) / 2) * seat
        piece.box((x, 0.56, 0.28), (seat - 0.015, 0.64, 0.16), cloth)
        piece.box((x, 0.29, 0.44), (seat - 0.03, 0.14, 0.40), cloth)
    _cushions(piece, rng, palette, (width / 2 - 0.42, 0.47, 0.44))
    return piece


def _cushions(
    piece: Assembly, rng: np.random.Generator, palette: Palette, place: tuple[float, float, float]
) -> None:
    x, y, z = place
    for side in (-1, 1):
        first, second, third, *_ = (palette.bright[index] for index in rng.permutation(5))
        cover = Material(textures.plaid(first, second, third, repeat_m=0.16), detail=1.5)
        piece.box((side * x, y, z), (0.40, 0.13, 0.36), cover)


def armchair(rng: np.random.Generator, palette: Palette) -> Assembly:
    """Make an armchair."""
    piece, cloth = Assembly(), upholstery(rng, palette)
    piece.box((0, 0.42, 0.10), (0.82, 0.78, 0.18), cloth)
    piece.box((0, 0.13, 0.28), (0.82, 0.20, 0.56), cloth)
    piece.box((0, 0.51, 0.28), (0.54, 0.56, 0.14), cloth)
    for side in (-1, 1):
        piece.box((side * 0.34, 0.50, 0.28), (0.14, 0.60, 0.28), cloth)
    return piece


def bookshelf(rng: np.random.Generator, palette: Palette) -> Assembly:
    """Make a shelf full of books and a few vases."""
    piece, plank = Assembly(), Material(textures.wood(palette.wood))
    width, height, shelves = rng.uniform(0.9, 1.5), rng.uniform(1.7, 2.0), 5
    for side in (-1, 1):
        piece.box((side * (width / 2 - 0.015), 0.16, 0), (0.03, 0.32, height), plank)
    piece.panel((0, 0.012, height / 2), (width - 0.06, height), plank)
    gap = (height - 0.03) / shelves
    for number in range(shelves + 1):
        piece.box((0, 0.16, number * gap), (width - 0.06, 0.31, 0.025), plank, underside=True)
    for number in range(shelves):
        _fill_shelf(piece, rng, palette, number * gap + 0.025, (width - 0.07, gap - 0.06))
    return piece


def _fill_shelf(
    piece: Assembly,
    rng: np.random.Generator,
    palette: Palette,
    bottom: float,
    size: tuple[float, float],
) -> None:
    width, height = size
    share = rng.uniform(0.7, 1.0) if rng.random() < 0.35 else rng.uniform(0.85, 1.0)
    spines = Material(textures.books(palette.bright), detail=1.5)
    pages = Material(textures.flat((0.55, 0.50, 0.43)))
    x = (share - 1) * width / 2
    piece.box((x, 0.12, bottom), (share * width, 0.2, height * 0.94), pages, front=spines)
    if share < 0.8:
        radius = min((1 - share) * width * 0.4, 0.09)
        glaze = Material(textures.banded(palette.bright))
        piece.ball(
            (share * width / 2, 0.16, bottom + height * 0.36),
            (radius, radius, height * 0.36),
            glaze,
        )


def sideboard(rng: np.random.Generator, palette: Palette) -> Assembly:
    """Make a low cabinet with drawers and things on it."""
    piece, plank = Assembly(), Material(textures.wood(palette.wood))
    width, height = rng.uniform(1.2, 1.6), rng.uniform(0.7, 0.8)
    drawers = Material(textures.panelled(palette.wood, 3, 3, 0.025, (0.85, 0.75, 0.5)))
    piece.box((0, 0.23, 0.08), (width, 0.44, height - 0.11), plank, front=drawers)
    piece.box((0, 0.235, height - 0.03), (width + 0.04, 0.47, 0.03), plank)
    _ornaments(piece, rng, palette, width, height)
    return piece


def _ornaments(
    piece: Assembly, rng: np.random.Generator, palette: Palette, width: float, height: float
) -> None:
    glaze = Material(textures.banded(palette.bright))
    radius = rng.uniform(0.07, 0.10)
    x = width * rng.uniform(0.25, 0.38) * rng.choice([-1, 1])
    piece.ball((x, 0.22, height + 0.15), (radius, radius, 0.15), glaze)
    piece.tube((x, 0.22, height + 0.26), (0.035, 0.05), 0.10, glaze)
    bottom = height
    for _ in range(3):
        colour = palette.bright[rng.integers(4)]
        size = (rng.uniform(0.22, 0.3), rng.uniform(0.16, 0.2), rng.uniform(0.025, 0.05))
        piece.box((-x * 0.8, 0.22, bottom), size, Material(textures.paint(colour)))
        bottom += size[2]
    picture = Material(textures.painting(palette.bright, palette.wood), detail=2)
    piece.box(
        (-x * 0.1, 0.08, height),
        (0.26, 0.03, 0.32),
        Material(textures.wood(palette.wood)),
        front=picture,
    )


def television(rng: np.random.Generator, palette: Palette) -> Assembly:
    """Make a low board with a television on it."""
    piece, plank = Assembly(), Material(textures.wood(palette.wood))
    black = Material(textures.flat((0.07, 0.07, 0.08)))
    doors = Material(textures.panelled(palette.wood, 4, 1, 0.04, (0.25, 0.25, 0.25)))
    piece.box((0, 0.21, 0.05), (1.6, 0.4, 0.42), plank, front=doors)
    piece.box((0, 0.2, 0.47), (0.4, 0.2, 0.05), black)
    screen = Material(textures.painting(palette.bright, (0.05, 0.05, 0.05)), glow=0.75)
    piece.box((0, 0.2, 0.52), (1.15, 0.05, 0.66), black, front=screen)
    return piece


def desk(rng: np.random.Generator, palette: Palette) -> Assembly:
    """Make a writing desk with a lamp, books and a chair."""
    piece, plank = Assembly(), Material(textures.wood(palette.wood))
    metal = Material(textures.flat((0.25, 0.26, 0.28)))
    piece.box((0, 0.33, 0.72), (1.4, 0.64, 0.035), plank)
    drawers = Material(textures.panelled(palette.wood, 1, 4, 0.02, (0.85, 0.75, 0.5)))
    piece.box((-0.5, 0.33, 0.04), (0.36, 0.58, 0.68), plank, front=drawers)
    piece.box((0.66, 0.33, 0), (0.05, 0.58, 0.72), plank)
    piece.tube((-0.5, 0.2, 0.755), (0.08, 0.08), 0.02, metal)
    piece.tube((-0.5, 0.2, 0.775), (0.012, 0.012), 0.32, metal, solid=False)
    shade = Material(textures.flat(palette.fabric))
    piece.tube((-0.5, 0.2, 1.03), (0.13, 0.06), 0.15, shade, solid=False)
    spines = Material(textures.books(palette.bright), detail=1.5)
    pages = Material(textures.flat((0.8, 0.76, 0.68)))
    piece.box((0.42, 0.14, 0.755), (0.42, 0.17, 0.24), pages, front=spines)
    sheet = Material(textures.stripes((0.95, 0.95, 0.93), (0.75, 0.8, 0.85), 0.03), detail=2)
    piece.box((0.02, 0.42, 0.755), (0.3, 0.21, 0.008), pages, top=sheet)
    piece.add(chair(rng, palette), (0.1, 1.12, 0), np.pi)
    return piece


def chair(rng: np.random.Generator, palette: Palette) -> Assembly:
    """Make a wooden chair with a padded seat."""
    piece, plank = Assembly(), Material(textures.wood(palette.wood, 'down'))
    pad = Material(textures.fabric(palette.second))
    for x in (-0.19, 0.19):
        piece.box((x, 0.03, 0), (0.04, 0.04, 0.90), plank)
        piece.box((x, 0.41, 0), (0.04, 0.04, 0.43), plank)
    piece.box((0, 0.22, 0.43), (0.44, 0.44, 0.05), plank, top=pad, underside=True)
    for z in (0.60, 0.72, 0.84):
        piece.box((0, 0.03, z), (0.36, 0.025, 0.07), plank, underside=True, solid=False)
    return piece


def bed(rng: np.random.Generator, palette: Palette) -> Assembly:
    """Make a bed with a headboard, a blanket and two pillows."""
    piece, plank = Assembly(), Material(textures.wood(palette.wood))
    width = rng.uniform(1.1, 1.4)
    linen = Material(textures.fabric((0.93, 0.92, 0.89), contrast=0.04))
    first, second, third = (palette.bright[index] for index in rng.permutation(3))
    blanket = Material(textures.plaid(first, second, third, repeat_m=0.4))
    piece.box((0, 0.03, 0), (width + 0.06, 0.06, 0.95), plank)
    piece.box((0, 0.98, 0.05), (width, 1.84, 0.25), plank)
    piece.box((0, 0.98, 0.30), (width - 0.04, 1.82, 0.18), linen)
    piece.box((0, 1.24, 0.42), (width + 0.03, 1.36, 0.08), blanket)
    for side in (-1, 1):
        piece.box((side * width * 0.24, 0.26, 0.48), (width * 0.4, 0.34, 0.12), linen)
    return piece


def coffee_table(rng: np.random.Generator, palette: Palette) -> Assembly:
    """Make a low table, square or round, with a bowl and books on it."""
    piece, plank = Assembly(), Material(textures.wood(palette.wood))
    if rng.random() < 0.5:
        piece.tube((0, 0.42, 0.38), (0.42, 0.42), 0.045, plank)
        for angle in np.arange(3) * 2.1:
            x, y = 0.3 * np.cos(angle), 0.42 + 0.3 * np.sin(angle)
            piece.tube((x, y, 0), (0.02, 0.03), 0.38, plank, lid=False)
    else:
        piece.box((0, 0.34, 0.38), (1.05, 0.62, 0.045), plank)
        piece.box((0, 0.34, 0.14), (0.93, 0.5, 0.025), plank)
        for x in (-0.48, 0.48):
            for y in (0.07, 0.61):
                piece.box((x, y, 0), (0.055, 0.055, 0.38), plank)
    glaze = Material(textures.banded(palette.bright, 5))
    piece.tube((0.16, 0.44, 0.425), (0.07, 0.15), 0.09, glaze)
    for x, y in ((0.10, 0.41), (0.21, 0.43), (0.15, 0.50)):
        fruit = Material(textures.paint(((0.85, 0.45, 0.15), (0.75, 0.2, 0.15))[rng.integers(2)]))
        piece.ball((x, y, 0.53), (0.045, 0.045, 0.045), fruit)
    cover = Material(textures.painting(palette.bright, palette.accent), detail=2)
    pages = Material(textures.flat((0.88, 0.85, 0.78)))
    piece.box((-0.2, 0.36, 0.425), (0.24, 0.30, 0.04), pages, top=cover)
    return piece


def dining_table(rng: np.random.Generator, palette: Palette) -> Assembly:
    """Make a table with four chairs around it and a vase on it."""
    piece, plank = Assembly(), Material(textures.wood(palette.wood))
    piece.box((0, 0.7, 0.71), (1.3, 0.8, 0.04), plank)
    for x in (-0.58, 0.58):
        for y in (0.37, 1.03):
            piece.box((x, y, 0), (0.06, 0.06, 0.71), plank)
    for x in (-0.33, 0.33):
        piece.add(chair(rng, palette), (x, 0.0, 0), 0.0)
        piece.add(chair(rng, palette), (x, 1.4, 0), np.pi)
    glaze = Material(textures.banded(palette.bright))
    piece.ball((0, 0.7, 0.84), (0.075, 0.075, 0.09), glaze)
    runner = Material(textures.stripes(palette.wall, palette.fabric, 0.08), detail=1.5)
    piece.box((0, 0.7, 0.75), (1.3, 0.26, 0.004), runner)
    return piece


def plant(rng: np.random.Generator, palette: Palette) -> Assembly:
    """Make a plant of several bushes in a pot."""
    piece = Assembly()
    pot = Material(textures.banded([palette.second, palette.wall, palette.fabric], 5))
    soil = Material(textures.paint((0.20, 0.14, 0.10), 0.3))
    piece.tube((0, 0.32, 0), (0.14, 0.19), 0.34, pot, top=soil)
    piece.tube(
        (0, 0.32, 0.34),
        (0.03, 0.02),
        0.35,
        Material(textures.wood(palette.wood)),
        lid=False,
        solid=False,
    )
    green = np.array([0.28, 0.50, 0.22]) * rng.uniform(0.8, 1.25)
    for level, radius in ((0.62, 0.25), (0.88, 0.21), (1.10, 0.16), (1.30, 0.11)):
        for _ in range(3):
            angle = rng.uniform(0, 2 * np.pi)
            centre = (
                0.10 * np.cos(angle),
                0.32 + 0.10 * np.sin(angle),
                level + rng.uniform(-0.06, 0.06),
            )
            leaf = Material(textures.foliage(tuple(green * rng.uniform(0.8, 1.2))), detail=1.3)
            piece.ball(centre, (radius * 0.8, radius * 0.8, radius * 0.65), leaf)
    return piece


def floor_lamp(rng: np.random.Generator, palette: Palette) -> Assembly:
    """Make a standard lamp whose shade glows."""
    piece = Assembly()
    metal = Material(textures.flat((0.30, 0.27, 0.22)))
    shade = Material(textures.stripes((1.0, 0.90, 0.70), (0.98, 0.84, 0.60), 0.06), glow=0.97)
    piece.tube((0, 0.3, 0), (0.16, 0.15), 0.03, metal)
    piece.tube((0, 0.3, 0.03), (0.015, 0.015), 1.40, metal, lid=False, solid=False)
    piece.tube((0, 0.3, 1.38), (0.23, 0.15), 0.32, shade, lid=False, solid=False)
    return piece


def pouf(rng: np.random.Generator, palette: Palette) -> Assembly:
    """Make a round stool of cloth."""
    piece = Assembly()
    cover = Material(textures.stripes(palette.fabric, palette.wall, 0.2))
    piece.tube((0, 0.27, 0), (0.26, 0.26), 0.38, cover, top=upholstery(rng, palette))
    return piece


def ball(rng: np.random.Generator, palette: Palette) -> Assembly:
    """Make a play ball with coloured bands."""
    piece = Assembly()
    radius = rng.uniform(0.14, 0.2)
    skin = Material(textures.banded([palette.second, (0.95, 0.94, 0.9), palette.fabric], 6))
    piece.ball((0, radius, radius), (radius, radius, radius), skin)
    return piece


def crates(rng: np.random.Generator, palette: Palette) -> Assembly:
    """Make a stack of boxes."""
    piece, bottom = Assembly(), 0.0
    for side in (0.48, 0.42, 0.32):
        cover = Material(textures.panelled((0.72, 0.55, 0.36), 1, 1, 0.05))
        height = side * rng.uniform(0.6, 0.8)
        piece.box((rng.uniform(-0.05, 0.05), 0.28, bottom), (side, side, height), cover)
        bottom += height
    return piece


def wardrobe(rng: np.random.Generator, palette: Palette) -> Assembly:
    """Make a wardrobe with two doors."""
    piece, plank = Assembly(), Material(textures.wood(palette.wood, 'down'))
    doors = Material(textures.panelled(palette.wood, 2, 2, 0.08, (0.85, 0.75, 0.5)))
    piece.box((0, 0.29, 0.05), (1.2, 0.56, 1.95), plank, front=doors)
    piece.box((0, 0.29, 2.0), (1.26, 0.6, 0.05), plank, underside=True)
    return piece


WALL_PIECES: tuple[Maker, ...] = (sofa, bookshelf, sideboard, television, desk, wardrobe, bed)
CORNER_PIECES: tuple[Maker, ...] = (plant, floor_lamp, armchair, crates, plant, pouf)
CENTRE_PIECES: tuple[Maker, ...] = (coffee_table, dining_table)
SMALL_PIECES: tuple[Maker, ...] = (pouf, ball, crates)
