"""Where a lens model is a map that can be turned around.

A polynomial that was fitted to the middle of an image turns back farther out, and a fraction has
poles: beyond, pixels of the inside would be found a second time, though no ray reaches them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Distort = Callable[[np.ndarray], np.ndarray]
"""From points (n, 2) at a depth of 1 to where the lens puts them, (n, 2)."""

RINGS, SECTORS = 1024, 64
WIDEST_RAD = np.radians(89.9)
"""A rectified image is a plane in front of the camera: no ray of it is wider."""
ROWS_AT_ONCE = 64


def before_fold(
    image_hw: tuple[int, int], ray_from_pixel: np.ndarray, distort: Distort
) -> np.ndarray:
    """Mark the pixels (h, w) whose rays the lens model keeps apart from all others.

    `ray_from_pixel` (3, 3) turns homogeneous pixels into rays of the camera, z forward. A pixel
    counts if on the way from the optical axis to it and one pixel farther the model never turns
    back; behind the camera and at 90 degrees there is none.
    """
    height, width = image_hw
    corners = np.array(
        [[0, 0, 1], [width - 1, 0, 1], [0, height - 1, 1], [width - 1, height - 1, 1]]
    )
    widest = min(_angles(corners @ ray_from_pixel.T)[0].max() * 1.01 + 1e-6, WIDEST_RAD)
    margin = np.linalg.norm(ray_from_pixel[:, :2], axis=0).max()
    limits = _limits(distort, widest)
    limits = np.where(limits < widest, limits - margin, limits)
    mask = np.empty(image_hw, bool)
    for top in range(0, height, ROWS_AT_ONCE):
        v, u = np.mgrid[top : min(top + ROWS_AT_ONCE, height), :width]
        angle, azimuth = _angles(np.stack([u, v, np.ones_like(u)], axis=-1) @ ray_from_pixel.T)
        sector = ((azimuth + np.pi) / (2 * np.pi) * SECTORS).astype(int).clip(0, SECTORS - 1)
        mask[top : top + len(v)] = angle <= limits[sector]
    return mask


def _angles(rays: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give the angle to the optical axis and the one around it, in rad."""
    x, y, z = np.moveaxis(rays, -1, 0)
    return np.arctan2(np.hypot(x, y), z), np.arctan2(y, x)


def _limits(distort: Distort, widest: float) -> np.ndarray:
    """Find for each sector the angle, in rad, at which the model first turns back.

    Between two rings and two spokes lies a cell; one whose image is turned over, or of no area,
    lies beyond. The limit is the ring before it.
    """
    angles = np.linspace(0, widest, RINGS + 1)
    azimuths = np.linspace(-np.pi, np.pi, SECTORS + 1)
    spokes = np.stack([np.cos(azimuths), np.sin(azimuths)], axis=-1)
    points = np.tan(angles)[:, None, None] * spokes
    with np.errstate(all='ignore'):
        bent = distort(points.reshape(-1, 2)).reshape(points.shape)
        outward = np.diff(bent, axis=0)
        outward = outward[:, 1:] + outward[:, :-1]
        around = np.diff(bent, axis=1)[1:]
        areas = outward[..., 0] * around[..., 1] - outward[..., 1] * around[..., 0]
        turned = ~(areas > 0)  # nor is NaN
    first = np.where(turned.any(axis=0), turned.argmax(axis=0), RINGS)
    return angles[first]
