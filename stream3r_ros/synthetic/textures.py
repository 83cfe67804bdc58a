"""Procedural colours of the synthetic room, from plain paint to busy rugs.

A texture is a function of (generator, (h, w) texels, (across, down) metres) that returns an
(h, w, 3) float32 array of sRGB reflectances in [0, 1]. Row 0 is the upper edge of the surface.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

Colour = tuple[float, float, float]
Texture = Callable[[np.random.Generator, tuple[int, int], tuple[float, float]], np.ndarray]


def noise(
    rng: np.random.Generator, hw: tuple[int, int], cells: tuple[float, float], octaves: int = 4
) -> np.ndarray:
    """Make (h, w) smooth noise of about zero mean and unit range; `cells` waves down, across."""
    total = np.zeros(hw, np.float32)
    for octave in range(octaves):
        coarse = tuple(
            int(np.clip(count * 2**octave, 2, side)) for count, side in zip(cells, hw, strict=True)
        )
        grid = rng.random(coarse, np.float32) - 0.5
        total += cv2.resize(grid, hw[::-1], interpolation=cv2.INTER_CUBIC) / 2**octave
    return total


def grain(rng: np.random.Generator, hw: tuple[int, int], amount: float) -> np.ndarray:
    """Make (h, w, 1) fine noise from texel to texel."""
    return (rng.random((*hw, 1), np.float32) - 0.5) * np.float32(2 * amount)


def shade(colour: Colour | np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Multiply a colour with an (h, w) field around 1."""
    return np.clip(np.asarray(colour, np.float32) * factor[..., None], 0, 1)


def mix(first: Colour | np.ndarray, second: Colour | np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Blend two colours or textures by an (h, w) weight of the second."""
    first, second = np.asarray(first, np.float32), np.asarray(second, np.float32)
    return first + (second - first) * weight[..., None].astype(np.float32)


def grid_m(hw: tuple[int, int], size_m: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Give (1, w) metres across and (h, 1) metres down at the texel centres."""
    across = (np.arange(hw[1], dtype=np.float32) + 0.5) * np.float32(size_m[0] / hw[1])
    down = (np.arange(hw[0], dtype=np.float32) + 0.5) * np.float32(size_m[1] / hw[0])
    return across[None, :], down[:, None]


def paint(colour: Colour, roughness: float = 0.04) -> Texture:
    """Paint with faint clouds and a fine grain."""

    def draw(rng, hw, size_m):
        clouds = noise(rng, hw, (size_m[1] * 1.5 + 1, size_m[0] * 1.5 + 1), 5)
        return np.clip(shade(colour, 1 + roughness * 2 * clouds) + grain(rng, hw, 0.012), 0, 1)

    return draw


def flat(colour: Colour | np.ndarray) -> Texture:
    """One colour."""

    def draw(rng, hw, size_m):
        return np.broadcast_to(np.asarray(colour, np.float32), (*hw, 3)).copy()

    return draw


def fabric(colour: Colour, thread_m: float = 0.02, contrast: float = 0.10) -> Texture:
    """Woven cloth with worn patches."""

    def draw(rng, hw, size_m):
        across, down = grid_m(hw, size_m)
        weave = np.sin(across * (2 * np.pi / thread_m)) * np.sin(down * (2 * np.pi / thread_m))
        worn = noise(rng, hw, (size_m[1] * 6 + 1, size_m[0] * 6 + 1), 4)
        return np.clip(
            shade(colour, 1 + contrast * weave + 0.22 * worn) + grain(rng, hw, 0.03), 0, 1
        )

    return draw


def plaid(base: Colour, second: Colour, third: Colour, repeat_m: float = 0.3) -> Texture:
    """Checked cloth of crossing bands."""

    def draw(rng, hw, size_m):
        across, down = (axis / repeat_m % 1 for axis in grid_m(hw, size_m))
        picture = np.broadcast_to(np.asarray(base, np.float32), (*hw, 3))
        for axis in (across, down):
            wide = np.broadcast_to((axis < 0.4) * 0.45, hw)
            thin = np.broadcast_to((np.abs(axis - 0.7) < 0.05) * 0.7, hw)
            picture = mix(mix(picture, second, wide), third, thin)
        return np.clip(picture + grain(rng, hw, 0.04), 0, 1)

    return draw


def wood(colour: Colour, along: str = 'across') -> Texture:
    """Wood with its fibres along one side of the surface."""

    def draw(rng, hw, size_m):
        long_cells, wide_cells = 1.2, 14.0
        cells = (size_m[1] * wide_cells + 1, size_m[0] * long_cells + 1)
        if along == 'down':
            cells = (size_m[1] * long_cells + 1, size_m[0] * wide_cells + 1)
        fibres = noise(rng, hw, cells, 4)
        rings = np.sin(fibres * 14) * 0.06
        return np.clip(shade(colour, 1 + 0.28 * fibres + rings) + grain(rng, hw, 0.015), 0, 1)

    return draw


def planks(colour: Colour, width_m: float = 0.14, length_m: float = 1.3) -> Texture:
    """Floor boards, each of its own tone, with dark joints."""

    def draw(rng, hw, size_m):
        across, down = grid_m(hw, size_m)
        row = np.floor(down / width_m).astype(int)
        shift = rng.random(row.max() + 1, np.float32)[row] * length_m
        along = (across + shift) / length_m
        board = np.floor(along).astype(int)
        tone = rng.random((row.max() + 1, board.max() + 1), np.float32)[row, board]
        fibres = noise(rng, hw, (size_m[1] * 25, size_m[0] * 1.5 + 1), 4)
        joint = (down / width_m % 1 < 0.045) | (along % 1 < 0.007)
        factor = (0.78 + 0.36 * tone + 0.22 * fibres) * np.where(joint, 0.5, 1.0)
        return np.clip(shade(colour, factor.astype(np.float32)) + grain(rng, hw, 0.02), 0, 1)

    return draw


def tiles(first: Colour, second: Colour, side_m: float = 0.4) -> Texture:
    """Chequered tiles with light joints."""

    def draw(rng, hw, size_m):
        across, down = (axis / side_m for axis in grid_m(hw, size_m))
        odd = (np.floor(across) + np.floor(down)) % 2
        veins = np.abs(noise(rng, hw, (size_m[1] * 3 + 1, size_m[0] * 3 + 1), 5))
        picture = mix(first, second, np.broadcast_to(odd, hw)) * (0.9 + 0.25 * veins)[..., None]
        joint = np.broadcast_to((across % 1 < 0.025) | (down % 1 < 0.025), hw)
        return np.clip(mix(picture, (0.6, 0.58, 0.55), joint) + grain(rng, hw, 0.015), 0, 1)

    return draw


def bricks(colour: Colour, mortar: Colour = (0.75, 0.73, 0.7)) -> Texture:
    """Bricks in running bond."""

    def draw(rng, hw, size_m):
        across, down = grid_m(hw, size_m)
        row = np.floor(down / 0.075).astype(int)
        along = across / 0.24 + row % 2 * 0.5
        brick = np.floor(along).astype(int)
        tone = rng.random((row.max() + 1, brick.max() + 1), np.float32)[row, brick]
        joint = np.broadcast_to((down / 0.075 % 1 < 0.13) | (along % 1 < 0.045), hw)
        rough = noise(rng, hw, (size_m[1] * 12, size_m[0] * 12), 3)
        face = shade(colour, 0.72 + 0.5 * tone + 0.3 * rough)
        return np.clip(mix(face, mortar, joint) + grain(rng, hw, 0.04), 0, 1)

    return draw


def stripes(first: Colour, second: Colour, repeat_m: float = 0.24) -> Texture:
    """Wallpaper with upright stripes and thin lines."""

    def draw(rng, hw, size_m):
        across, _ = grid_m(hw, size_m)
        phase = across / repeat_m % 1
        weight = np.where(phase < 0.5, 0.0, 0.8) + (np.abs(phase - 0.25) < 0.03) * 0.6
        picture = mix(first, second, np.broadcast_to(weight, hw))
        clouds = noise(rng, hw, (size_m[1] * 2 + 1, size_m[0] * 2 + 1), 4)
        return np.clip(picture * (1 + 0.06 * clouds)[..., None] + grain(rng, hw, 0.015), 0, 1)

    return draw


def wallpaper(base: Colour, motif: Colour, repeat_m: float = 0.45) -> Texture:
    """Wallpaper with a leafy motif in staggered rows."""

    def draw(rng, hw, size_m):
        across, down = grid_m(hw, size_m)
        row = np.floor(down / repeat_m)
        x = (across / repeat_m + row % 2 * 0.5) % 1 - 0.5
        y = down / repeat_m % 1 - 0.5
        angle, radius = np.arctan2(y, x), np.hypot(x, y)
        petals = radius < 0.30 * (0.55 + 0.45 * np.cos(6 * angle)) + 0.04
        ring = np.abs(radius - 0.42) < 0.018
        weight = np.where(petals | ring, 0.75, 0.0).astype(np.float32)
        clouds = noise(rng, hw, (size_m[1] * 2 + 1, size_m[0] * 2 + 1), 4)
        picture = mix(base, motif, cv2.GaussianBlur(weight, (3, 3), 0))
        return np.clip(picture * (1 + 0.06 * clouds)[..., None] + grain(rng, hw, 0.015), 0, 1)

    return draw


def panelled(
    colour: Colour,
    columns: int,
    rows: int,
    margin_m: float = 0.07,
    knob: Colour | None = None,
    painted: bool = False,
) -> Texture:
    """Doors or drawers: recessed panels with a lit and a shaded rim, and knobs on demand."""

    def draw(rng, hw, size_m):
        picture = (paint if painted else wood)(colour)(rng, hw, size_m)
        across, down = grid_m(hw, size_m)
        x = across % (size_m[0] / columns)
        y = down % (size_m[1] / rows)
        left, right = x, size_m[0] / columns - x
        top, bottom = y, size_m[1] / rows - y
        inside = np.minimum(np.minimum(left, right), np.minimum(top, bottom))
        rim = np.abs(inside - margin_m) < 0.012
        lit = (np.minimum(right, bottom) <= np.minimum(left, top)) & rim
        factor = np.where(lit, 1.25, np.where(rim, 0.55, 1.0)) * np.where(inside < 0.008, 0.4, 1)
        picture = np.clip(picture * factor[..., None], 0, 1).astype(np.float32)
        if knob is not None:
            spot = np.hypot(x - size_m[0] / columns / 2, y - size_m[1] / rows * 0.28) < 0.022
            picture = mix(picture, knob, spot)
        return picture

    return draw


def books(colours: list[Colour], back: Colour = (0.16, 0.12, 0.10)) -> Texture:
    """A row of book spines of different widths and heights before a dark back."""

    def draw(rng, hw, size_m):
        picture = flat(back)(rng, hw, size_m)
        height, width = hw
        texels_per_m = width / size_m[0]
        left = int(rng.uniform(0, 0.03) * texels_per_m)
        while left < width - 2:
            thick = max(int(rng.uniform(0.018, 0.055) * texels_per_m), 2)
            top = int(rng.uniform(0.06, 0.34) * height)
            if rng.random() > 0.08:
                _draw_book(rng, picture[top:, left : left + thick], colours)
            left += thick
        return picture

    return draw


def _draw_book(rng: np.random.Generator, spine: np.ndarray, colours: list[Colour]) -> None:
    colour = np.asarray(colours[rng.integers(len(colours))], np.float32) * rng.uniform(0.6, 1.15)
    height, width = spine.shape[:2]
    rounded = 1 - 0.45 * np.abs(np.linspace(-1, 1, width, dtype=np.float32)) ** 3
    spine[:] = np.clip(colour, 0, 1) * rounded[:, None]
    for start in rng.uniform(0.08, 0.85, rng.integers(1, 4)):
        band = slice(int(start * height), int(start * height) + max(height // 14, 1))
        spine[band] = np.clip(0.35 * spine[band] + 0.6 * rng.random(), 0, 1)


def rug(colours: list[Colour]) -> Texture:
    """A carpet with nested borders, diamonds and a fringe of short wool."""

    def draw(rng, hw, size_m):
        across, down = grid_m(hw, size_m)
        inside = np.minimum(
            np.minimum(across, size_m[0] - across), np.minimum(down, size_m[1] - down)
        )
        picture = flat(colours[0])(rng, hw, size_m)
        x, y = (across - size_m[0] / 2) / 0.36, (down - size_m[1] / 2) / 0.36
        diamond = np.abs((x + 0.5) % 1 - 0.5) + np.abs((y + 0.5) % 1 - 0.5)
        picture = mix(picture, colours[1], diamond < 0.32)
        picture = mix(picture, colours[2], diamond < 0.16)
        zigzag = np.abs(((across + down) / 0.12) % 1 - 0.5) * 0.10
        for depth, colour in ((0.34, 1), (0.30, 3), (0.20, 2), (0.08, 0), (0.04, 1)):
            picture = mix(picture, colours[colour], inside < depth + zigzag * (depth > 0.1))
        wool = noise(rng, hw, (size_m[1] * 20, size_m[0] * 20), 3)
        return np.clip(picture * (1 + 0.25 * wool)[..., None] + grain(rng, hw, 0.05), 0, 1)

    return draw


def painting(colours: list[Colour], frame: Colour) -> Texture:
    """A framed picture: hills under a sun, or overlapping shapes."""

    def draw(rng, hw, size_m):
        picture = _landscape(rng, hw, colours) if rng.random() < 0.5 else _shapes(rng, hw, colours)
        picture = np.clip(picture * (1 + 0.12 * noise(rng, hw, (9, 9), 4))[..., None], 0, 1)
        across, down = grid_m(hw, size_m)
        inside = np.minimum(
            np.minimum(across, size_m[0] - across), np.minimum(down, size_m[1] - down)
        )
        picture = mix(picture, (0.93, 0.92, 0.88), inside < 0.075)
        tone = np.where(inside < 0.012, 1.25, 0.85).astype(np.float32)
        return mix(picture, shade(frame, tone), inside < 0.03)

    return draw


def _landscape(rng: np.random.Generator, hw: tuple[int, int], colours: list[Colour]) -> np.ndarray:
    height, width = hw
    fade = np.broadcast_to(np.linspace(0, 1, height, dtype=np.float32)[:, None], hw)
    picture = mix((0.55, 0.70, 0.82), (0.95, 0.86, 0.70), fade)
    sun = (int(rng.uniform(0.2, 0.8) * width), int(rng.uniform(0.2, 0.4) * height))
    cv2.circle(picture, sun, max(width // 12, 1), (0.98, 0.80, 0.45), -1, cv2.LINE_AA)
    for layer in range(4):
        ridge = noise(rng, (1, width), (1, 3 + layer), 4)[0] * 0.3 + 0.45 + 0.14 * layer
        below = np.arange(height)[:, None] > ridge * height
        colour = np.asarray(colours[layer % len(colours)]) * (0.95 - 0.15 * layer)
        picture = mix(picture, colour, below)
    return np.ascontiguousarray(picture)


def _shapes(rng: np.random.Generator, hw: tuple[int, int], colours: list[Colour]) -> np.ndarray:
    height, width = hw
    picture = flat((0.92, 0.89, 0.82))(rng, hw, (1, 1))
    for _ in range(9):
        colour = tuple(float(c) for c in colours[rng.integers(len(colours))])
        centre = (int(rng.uniform(0, width)), int(rng.uniform(0, height)))
        axes = tuple(int(side * rng.uniform(0.08, 0.35)) + 1 for side in (width, height))
        if rng.random() < 0.5:
            cv2.ellipse(
                picture, centre, axes, rng.uniform(0, 180), 0, 360, colour, -1, cv2.LINE_AA
            )
        else:
            corner = (centre[0] + axes[0], centre[1] + axes[1])
            cv2.rectangle(picture, centre, corner, colour, -1, cv2.LINE_AA)
    return picture


def view_outside() -> Texture:
    """What is seen through the window: sky, clouds, trees and a lawn, with the window's bars."""

    def draw(rng, hw, size_m):
        height, width = hw
        fade = np.broadcast_to(np.linspace(0, 1, height, dtype=np.float32)[:, None], hw)
        sky = mix((0.52, 0.74, 0.96), (0.90, 0.95, 1.0), fade)
        clouds = np.clip(noise(rng, hw, (4, 3), 5) * 2.2, 0, 1)
        picture = mix(sky, (1.0, 1.0, 1.0), clouds * 0.9)
        trees = noise(rng, (1, width), (1, 5), 6)[0] * 0.22 + 0.60
        leaves = noise(rng, hw, (14, 14), 4)
        wood_edge = np.arange(height)[:, None] / height > trees
        picture = mix(picture, shade((0.30, 0.48, 0.24), 1 + 0.8 * leaves), wood_edge)
        lawn = np.broadcast_to(np.arange(height)[:, None] / height > 0.82, hw)
        picture = mix(picture, shade((0.52, 0.70, 0.34), 1 + 0.3 * leaves), lawn)
        across, down = grid_m(hw, size_m)
        bars = (np.abs(across - size_m[0] / 2) < 0.025) | (np.abs(down - size_m[1] * 0.4) < 0.02)
        return mix(picture, (0.95, 0.95, 0.93), bars)

    return draw


def curtain(colour: Colour) -> Texture:
    """Cloth that hangs in folds."""

    def draw(rng, hw, size_m):
        across, _ = grid_m(hw, size_m)
        bend = noise(rng, hw, (2, 5), 2) * 0.6
        folds = np.sin(across * (2 * np.pi / 0.11) + bend * 2) * 0.22
        return np.clip(shade(colour, 0.9 + folds) + grain(rng, hw, 0.02), 0, 1)

    return draw


def clock(face: Colour, hand: Colour) -> Texture:
    """A clock face with marks and two hands."""

    def draw(rng, hw, size_m):
        side = min(hw)
        picture = flat(face)(rng, hw, size_m)
        centre = (hw[1] // 2, hw[0] // 2)
        cv2.circle(picture, centre, side // 2 - 1, hand, max(side // 14, 1), cv2.LINE_AA)
        angles = [*(np.arange(12) * np.pi / 6), *rng.uniform(0, 2 * np.pi, 2)]
        for index, angle in enumerate(angles):
            start, stop = (0.36, 0.42) if index < 12 else (0.0, 0.3 - 0.1 * (index - 12))
            begin, end = (
                (
                    int(centre[0] + side * r * np.sin(angle)),
                    int(centre[1] - side * r * np.cos(angle)),
                )
                for r in (start, stop)
            )
            cv2.line(picture, begin, end, hand, max(side // 40, 1), cv2.LINE_AA)
        return picture

    return draw


def foliage(colour: Colour) -> Texture:
    """Leaves seen from afar."""

    def draw(rng, hw, size_m):
        picture = flat(np.asarray(colour) * 0.45)(rng, hw, size_m)
        for _ in range(int(90 + hw[0] * hw[1] / 60)):
            centre = (int(rng.integers(hw[1])), int(rng.integers(hw[0])))
            tone = np.clip(np.asarray(colour) * rng.uniform(0.55, 1.5), 0, 1)
            axes = (
                max(int(hw[1] * rng.uniform(0.02, 0.05)), 2),
                max(int(hw[0] * rng.uniform(0.01, 0.025)), 1),
            )
            cv2.ellipse(
                picture,
                centre,
                axes,
                float(rng.uniform(0, 180)),
                0,
                360,
                tuple(float(c) for c in tone),
                -1,
                cv2.LINE_AA,
            )
        return picture

    return draw


def banded(colours: list[Colour], bands: int = 7) -> Texture:
    """Glazed pottery: bands with dots and waves."""

    def draw(rng, hw, size_m):
        height, width = hw
        row = np.linspace(0, bands, height, endpoint=False, dtype=np.float32)[:, None]
        column = np.linspace(0, 1, width, endpoint=False, dtype=np.float32)[None, :]
        band = np.floor(row + 0.25 * np.sin(column * 2 * np.pi * 8)).astype(int) % len(colours)
        picture = np.asarray(colours, np.float32)[band]
        dots = (np.abs(row % 1 - 0.5) < 0.2) & (np.abs(column * 16 % 1 - 0.5) < 0.2)
        return np.clip(
            mix(picture, colours[-1], dots & (np.floor(row) % 2 == 1)) + grain(rng, hw, 0.02), 0, 1
        )

    return draw
