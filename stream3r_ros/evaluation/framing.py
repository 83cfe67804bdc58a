"""Crop and resize a frame with its depth and intrinsics, as reconstruction is measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from stream3r_ros.images import ImageMapping

PUBLISHED_SIZE = 518
PUBLISHED_WINDOW = 224


@dataclass(frozen=True, eq=False)
class FramedView:
    """A frame at the network's size: `image` (3, H, W) in [0, 1], depth NaN where unknown."""

    image: Tensor
    depth_m: np.ndarray
    intrinsics: np.ndarray


def four_by_three(image_size: int, patch_size: int) -> tuple[int, int]:
    """Give the network's (height, width) for images of 4:3, such as (392, 518) for 518."""
    return round(image_size * 3 / 4 / patch_size) * patch_size, image_size


def measured_window(image_size: int) -> tuple[int, int]:
    """Give the (height, width) in the middle that counts: 224 x 224 at 518, in proportion else."""
    side = round(PUBLISHED_WINDOW * image_size / PUBLISHED_SIZE)
    return side, side


def frame_view(
    image_rgb: np.ndarray, depth_m: np.ndarray, intrinsics: np.ndarray, target_hw: tuple[int, int]
) -> FramedView:
    """Cut a frame symmetrically about its principal point and fit it into `target_hw`.

    The image is resized until it covers the target, antialiased and bicubic, and cropped about
    the principal point; the depth takes the nearest pixel. Raises ValueError when image and
    depth have different sizes.
    """
    if image_rgb.shape[:2] != depth_m.shape:
        raise ValueError(f'image {image_rgb.shape[:2]} and depth {depth_m.shape} differ in size')
    rows, columns = _symmetric_crop(depth_m.shape, intrinsics)
    image, depth = image_rgb[rows, columns], depth_m[rows, columns]
    matrix = np.array(intrinsics, float)
    matrix[:2, 2] -= columns.start, rows.start
    mapping = _covering(depth.shape, target_hw, matrix)
    return FramedView(
        _resized(image, mapping), _nearest(depth, mapping), mapping.intrinsics_to_network(matrix)
    )


def _symmetric_crop(image_hw: tuple[int, ...], intrinsics: np.ndarray) -> tuple[slice, slice]:
    """Give the largest window whose middle is the principal point, to the pixel."""
    windows = []
    for side, centre in zip(image_hw, intrinsics[1::-1, 2], strict=True):
        middle = round(float(centre))
        reach = min(middle, side - middle)
        if reach < 1:
            raise ValueError(f'the principal point {centre:g} lies outside the image, 0..{side}')
        windows.append(slice(middle - reach, middle + reach))
    return windows[0], windows[1]


def _covering(
    image_hw: tuple[int, ...], target_hw: tuple[int, int], intrinsics: np.ndarray
) -> ImageMapping:
    height, width = image_hw
    factor = max(target_hw[0] / height, target_hw[1] / width)
    resized = (
        max(round(height * factor), target_hw[0]),
        max(round(width * factor), target_hw[1]),
    )
    centres = intrinsics[1, 2] * resized[0] / height, intrinsics[0, 2] * resized[1] / width
    down, right = (
        int(np.clip(round(centre - target / 2), 0, side - target))
        for centre, target, side in zip(centres, target_hw, resized, strict=True)
    )
    return ImageMapping((height, width), target_hw, resized, (-down, -right))


def _resized(image: np.ndarray, mapping: ImageMapping) -> Tensor:
    resized = Image.fromarray(image).resize(mapping.resized_hw[::-1], Image.Resampling.BICUBIC)
    (down, right), (height, width) = mapping.offset_vu, mapping.network_hw
    pixels = np.asarray(resized)[-down : height - down, -right : width - right]
    return torch.from_numpy(pixels.transpose(2, 0, 1).astype(np.float32) / 255)


def _nearest(depth: np.ndarray, mapping: ImageMapping) -> np.ndarray:
    height, width = mapping.network_hw
    u, v = np.arange(width), np.arange(height)
    columns = mapping.pixels_to_camera(np.stack([u, np.zeros(width)], axis=-1))[:, 0]
    rows = mapping.pixels_to_camera(np.stack([np.zeros(height), v], axis=-1))[:, 1]
    rows, columns = (
        np.clip(np.floor(place + 0.5).astype(int), 0, side - 1)
        for place, side in zip((rows, columns), depth.shape, strict=True)
    )
    return depth[rows[:, None], columns]
