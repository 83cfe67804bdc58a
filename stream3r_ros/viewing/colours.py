"""Colours and small pictures for the page."""

from __future__ import annotations

import cv2
import numpy as np

from stream3r_ros.export import colour_depth

COLOURINGS = ('camera', 'height', 'confidence')
UNKNOWN = (70, 72, 76)


def coloured(
    colouring: str,
    points: np.ndarray,
    colours: np.ndarray,
    confidences: np.ndarray | None = None,
) -> np.ndarray:
    """Colour points (N, 3) in a world with z up by one of COLOURINGS; (N, 3) uint8.

    Without confidences that colouring is the camera's.
    """
    if colouring == 'camera' or not len(points):
        return colours
    if colouring == 'height':
        return _by_value(points[:, 2], cv2.COLORMAP_TURBO)
    if confidences is None:
        return colours
    return _by_value(np.log(np.maximum(confidences, 1)), cv2.COLORMAP_VIRIDIS)


def thumbnail(image: np.ndarray, most: int) -> np.ndarray:
    """Shrink an (h, w) or (h, w, 3) picture so that no side is longer than `most` pixels.

    Grey becomes RGB. Floating-point pictures are sampled, since their NaN must not spread.
    """
    factor = min(1.0, most / max(image.shape[:2]))
    if factor < 1:
        size = tuple(max(1, round(side * factor)) for side in image.shape[1::-1])
        exact = np.issubdtype(image.dtype, np.floating)
        image = cv2.resize(
            image, size, interpolation=cv2.INTER_NEAREST if exact else cv2.INTER_AREA
        )
    if image.ndim == 2 and image.dtype == np.uint8:
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
    return image


def fitted(image: np.ndarray, width: int) -> np.ndarray:
    """Scale an (h, w) or (h, w, 3) uint8 picture to a width; small ones keep their pixels."""
    image = thumbnail(image, max(width, round(width * image.shape[0] / image.shape[1])))
    height = max(1, round(width * image.shape[0] / image.shape[1]))
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_NEAREST)


def depth_picture(depth: np.ndarray, width: int) -> tuple[np.ndarray, str]:
    """Colour depth (h, w), near warm and far cold; give the picture and its range in words."""
    picture, (near, far) = colour_depth(thumbnail(depth, width))
    return fitted(picture, width), f'{near:.3g} to {far:.3g}'


def confidence_picture(confidence: np.ndarray, width: int) -> tuple[np.ndarray, str]:
    """Colour confidence (h, w) from dark, low, to bright, high, on a logarithmic scale."""
    small = thumbnail(confidence, width)
    known = np.isfinite(small)
    if not known.any():
        return fitted(np.full((*small.shape, 3), UNKNOWN, np.uint8), width), 'none'
    low, high = np.percentile(small[known], (1, 99))
    picture = np.full((*small.shape, 3), UNKNOWN, np.uint8)
    picture[known] = _mapped(_log_share(small[known], low, high), cv2.COLORMAP_VIRIDIS)
    return fitted(picture, width), f'{low:.3g} to {high:.3g}'


def _log_share(values: np.ndarray, low: float, high: float) -> np.ndarray:
    start, end = np.log(max(low, 1e-6)), np.log(max(high, 1e-6))
    return (np.log(np.maximum(values, 1e-6)) - start) / max(end - start, 1e-6)


def _by_value(values: np.ndarray, colour_map: int) -> np.ndarray:
    low, high = np.percentile(values, (2, 98))
    return _mapped((values - low) / max(float(high - low), 1e-6), colour_map)


def _mapped(share: np.ndarray, colour_map: int) -> np.ndarray:
    """Give the (N, 3) RGB colours of shares (N,), which are clipped to 0 to 1."""
    levels = np.rint(np.clip(share, 0, 1) * 255).astype(np.uint8)
    return cv2.applyColorMap(levels[:, None], colour_map)[:, 0, ::-1]
