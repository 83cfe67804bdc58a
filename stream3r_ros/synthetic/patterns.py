"""Procedural textures of the varied rooms, and the choice between plain and busy ones."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import cv2
import numpy as np

from stream3r_ros.synthetic import textures
from stream3r_ros.synthetic.furniture import Palette
from stream3r_ros.synthetic.textures import Colour, Texture, grain, grid_m, mix, noise, shade


@dataclass(frozen=True)
class Style(Palette):
    """A palette with the share of surfaces that are busy, from 0 (bare paint) to 1."""

    busyness: float

    @staticmethod
    def draw(rng: np.random.Generator) -> Style:
        """Draw colours of any hue: light walls, stronger cloth and wood between pale and dark."""
        return Style(
            wall=tint(rng, (0.0, 0.30), (0.62, 0.95)),
            accent=tint(rng, (0.2, 0.7), (0.35, 0.8)),
            fabric=tint(rng, (0.3, 0.85), (0.35, 0.9)),
            second=tint(rng, (0.3, 0.85), (0.25, 0.8)),
            wood=tint(rng, (0.25, 0.6), (0.4, 0.8), (0.05, 0.11)),
            floor=tint(rng, (0.0, 0.5), (0.35, 0.8), (0.03, 0.15)),
            busyness=float(rng.uniform(0, 1)),
        )

    def colour(self, rng: np.random.Generator) -> Colour:
        """Draw a colour for a thing: one of the palette's, or any other."""
        if rng.random() < 0.5:
            return self.bright[rng.integers(len(self.bright))]
        return tint(rng, (0.1, 0.9), (0.25, 0.95))


def tint(
    rng: np.random.Generator,
    saturation: tuple[float, float],
    value: tuple[float, float],
    hue: tuple[float, float] = (0.0, 1.0),
) -> Colour:
    """Draw an sRGB colour from ranges of hue, saturation and value in [0, 1]."""
    return colorsys.hsv_to_rgb(rng.uniform(*hue), rng.uniform(*saturation), rng.uniform(*value))


def checks(first: Colour, second: Colour, side_m: float) -> Texture:
    """Squares of two colours in turn."""

    def draw(rng, hw, size_m):
        across, down = (np.floor(axis / side_m) for axis in grid_m(hw, size_m))
        return np.clip(mix(first, second, (across + down) % 2) + grain(rng, hw, 0.02), 0, 1)

    return draw


def slanted(first: Colour, second: Colour, repeat_m: float) -> Texture:
    """Straight bands that run down to the right."""

    def draw(rng, hw, size_m):
        across, down = grid_m(hw, size_m)
        return np.clip(
            mix(first, second, (across - down) / repeat_m % 1 < 0.5) + grain(rng, hw, 0.02), 0, 1
        )

    return draw


def dots(first: Colour, second: Colour, repeat_m: float) -> Texture:
    """Round dots in staggered rows."""

    def draw(rng, hw, size_m):
        across, down = (axis / repeat_m for axis in grid_m(hw, size_m))
        x = (across + np.floor(down) % 2 * 0.5) % 1 - 0.5
        spot = np.hypot(x, down % 1 - 0.5) < 0.3
        return np.clip(mix(first, second, spot) + grain(rng, hw, 0.02), 0, 1)

    return draw


def speckle(colour: Colour, amount: float) -> Texture:
    """Stone or short wool: noise at every scale, in brightness and a little in hue."""

    def draw(rng, hw, size_m):
        cells = size_m[1] * 8 + 1, size_m[0] * 8 + 1
        hues = np.stack([noise(rng, hw, cells, 4) for _ in range(3)], axis=-1)
        bright = 1 + amount * noise(rng, hw, (4 * cells[0], 4 * cells[1]), 3)
        return np.clip(shade(colour, bright) + 0.25 * amount * hues + grain(rng, hw, 0.06), 0, 1)

    return draw


def marble(first: Colour, second: Colour, cells_per_m: float) -> Texture:
    """Two colours in clouds with sharp veins between them."""

    def draw(rng, hw, size_m):
        cells = size_m[1] * cells_per_m + 1, size_m[0] * cells_per_m + 1
        clouds = noise(rng, hw, cells, 5)
        veins = np.clip(1 - 14 * np.abs(noise(rng, hw, cells, 4)), 0, 1)
        picture = (
            mix(first, second, np.clip(0.5 + 2.5 * clouds, 0, 1)) * (1 - 0.5 * veins)[..., None]
        )
        return np.clip(picture + grain(rng, hw, 0.02), 0, 1).astype(np.float32)

    return draw


def poster(colours: list[Colour]) -> Texture:
    """A printed sheet: a ground, large shapes and lines of something like writing."""

    def draw(rng, hw, size_m):
        height, width = hw
        ground, ink, *others = (colours[index] for index in rng.permutation(len(colours)))
        picture = textures.flat(ground)(rng, hw, size_m)
        for colour in others:
            centre = int(rng.uniform(0.1, 0.9) * width), int(rng.uniform(0.1, 0.6) * height)
            radius = max(int(rng.uniform(0.08, 0.3) * min(hw)), 1)
            cv2.circle(picture, centre, radius, colour, -1, cv2.LINE_AA)
        for line in np.arange(0.66, 0.94, rng.uniform(0.05, 0.09)):
            _write(rng, picture[int(line * height) : int((line + 0.03) * height) + 1], ink)
        return np.clip(picture + grain(rng, hw, 0.02), 0, 1)

    return draw


def _write(rng: np.random.Generator, row: np.ndarray, ink: Colour) -> None:
    """Fill a row of texels with words of random length, between margins."""
    width = row.shape[1]
    left = width // 10
    while left < width * 0.85:
        word = max(int(rng.uniform(0.02, 0.12) * width), 1)
        row[:, left : left + word] = ink
        left += word + max(width // 50, 1)


def wall_cover(rng: np.random.Generator, style: Style, colour: Colour) -> Texture:
    """Choose what covers a wall: bare paint, or a paper, bricks, tiles or boards."""
    if rng.random() > style.busyness:
        return textures.paint(colour, rng.uniform(0.01, 0.06))
    other = _beside(rng, colour, style.accent)
    busy = (
        lambda: textures.stripes(colour, other, rng.uniform(0.12, 0.5)),
        lambda: textures.wallpaper(colour, other, rng.uniform(0.25, 0.7)),
        lambda: textures.bricks(tint(rng, (0.1, 0.55), (0.5, 0.85), (0.0, 0.1))),
        lambda: textures.tiles(colour, other, rng.uniform(0.12, 0.4)),
        lambda: checks(colour, other, rng.uniform(0.15, 0.5)),
        lambda: dots(colour, other, rng.uniform(0.15, 0.4)),
        lambda: marble(colour, other, rng.uniform(0.6, 2.0)),
        lambda: speckle(colour, rng.uniform(0.2, 0.5)),
    )
    return busy[rng.integers(len(busy))]()


def floor_cover(rng: np.random.Generator, style: Style) -> Texture:
    """Choose what covers the floor: plain screed or carpet, or boards, tiles and patterns."""
    colour = style.floor
    if rng.random() > 0.3 + 0.7 * style.busyness:
        return textures.paint(colour, rng.uniform(0.03, 0.10))
    other = _beside(rng, colour, style.second)
    busy = (
        lambda: textures.planks(colour, rng.uniform(0.08, 0.2), rng.uniform(0.8, 2.0)),
        lambda: textures.planks(style.wood, rng.uniform(0.08, 0.2), rng.uniform(0.8, 2.0)),
        lambda: textures.tiles(colour, other, rng.uniform(0.2, 0.7)),
        lambda: checks(colour, other, rng.uniform(0.2, 0.8)),
        lambda: textures.fabric(colour, rng.uniform(0.02, 0.06), 0.2),
        lambda: speckle(colour, rng.uniform(0.2, 0.6)),
        lambda: marble(colour, other, rng.uniform(0.5, 2.0)),
    )
    return busy[rng.integers(len(busy))]()


def object_cover(rng: np.random.Generator, style: Style) -> Texture:
    """Choose what covers a thing: paint or wood, or any pattern at a scale that shows on it."""
    colour = style.colour(rng)
    if rng.random() > 0.25 + 0.75 * style.busyness:
        return textures.paint(colour) if rng.random() < 0.6 else textures.wood(style.wood)
    other, third = style.colour(rng), style.colour(rng)
    busy = (
        lambda: checks(colour, other, rng.uniform(0.05, 0.2)),
        lambda: textures.stripes(colour, other, rng.uniform(0.08, 0.3)),
        lambda: slanted(colour, other, rng.uniform(0.1, 0.4)),
        lambda: dots(colour, other, rng.uniform(0.08, 0.25)),
        lambda: textures.plaid(colour, other, third, rng.uniform(0.12, 0.4)),
        lambda: textures.banded([colour, other, third], int(rng.integers(4, 9))),
        lambda: marble(colour, other, rng.uniform(2.0, 5.0)),
        lambda: speckle(colour, rng.uniform(0.3, 0.8)),
        lambda: textures.fabric(colour, 0.03, 0.25),
        lambda: textures.wood(style.wood, 'down'),
    )
    return busy[rng.integers(len(busy))]()


def _beside(rng: np.random.Generator, colour: Colour, towards: Colour) -> Colour:
    """Give a colour part of the way from one to another, faint to strong."""
    share = rng.uniform(0.2, 0.9)
    red, green, blue = (a + share * (b - a) for a, b in zip(colour, towards, strict=True))
    return red, green, blue
