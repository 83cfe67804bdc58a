"""All textures of a room in one array, at halving resolutions, for one gather per pixel."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

LEVELS = 7


@dataclass(frozen=True, eq=False)
class Atlas:
    """Texels (N, 4) uint8 of all surfaces and levels, and where each level of each begins.

    `offset`, `width` and `height` are (surfaces * LEVELS,) int32.
    """

    texels: np.ndarray
    offset: np.ndarray
    width: np.ndarray
    height: np.ndarray

    @staticmethod
    def from_pictures(pictures: list[np.ndarray]) -> Atlas:
        """Store (h, w, 3) uint8 pictures, one a surface."""
        levels = [level for picture in pictures for level in _pyramid(picture)]
        sizes = np.array([level.shape[:2] for level in levels], np.int32)
        counts = sizes.prod(axis=1)
        texels = np.full((counts.sum(), 4), 255, np.uint8)
        offset = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int32)
        for start, level in zip(offset, levels, strict=True):
            texels[start : start + level.shape[0] * level.shape[1], :3] = level.reshape(-1, 3)
        return Atlas(texels, offset, sizes[:, 1].copy(), sizes[:, 0].copy())

    def sample(
        self, surface: np.ndarray, level: np.ndarray, u: np.ndarray, v: np.ndarray
    ) -> np.ndarray:
        """Interpolate the colours (N, 3) uint8 at texture coordinates, in the given levels."""
        entry = surface * LEVELS + level
        width, height, offset = self.width[entry], self.height[entry], self.offset[entry]
        left, right, across = _neighbours(u, width)
        top, bottom, down = _neighbours(v, height)
        top, bottom = top * width + offset, bottom * width + offset
        packed = self.texels.view(np.uint32)[:, 0]
        upper = _blend(packed, top + left, top + right, across)
        lower = _blend(packed, bottom + left, bottom + right, across)
        lower -= upper
        lower *= down[:, None]
        upper += lower
        upper += np.float32(0.5)
        return upper.astype(np.uint8)[:, :3]


def _pyramid(picture: np.ndarray) -> list[np.ndarray]:
    levels = [picture]
    while len(levels) < LEVELS:
        height, width = (max(side // 2, 1) for side in levels[-1].shape[:2])
        levels.append(cv2.resize(levels[-1], (width, height), interpolation=cv2.INTER_AREA))
    return levels


def _neighbours(coordinate: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, ...]:
    """Give the texel before and after a coordinate in [0, 1], and the weight of the later."""
    texel = coordinate * size
    texel -= np.float32(0.5)
    np.maximum(texel, 0, out=texel)
    before = texel.astype(np.int32)
    weight = texel.astype(np.float32) - before
    last = size - 1
    return np.minimum(before, last), np.minimum(before + 1, last), weight.astype(np.float32)


def _blend(
    packed: np.ndarray, first: np.ndarray, second: np.ndarray, weight: np.ndarray
) -> np.ndarray:
    colours = packed[first].view(np.uint8).reshape(-1, 4).astype(np.float32)
    others = packed[second].view(np.uint8).reshape(-1, 4).astype(np.float32)
    others -= colours
    others *= weight[:, None]
    colours += others
    return colours
