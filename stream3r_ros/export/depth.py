"""Depth images as 16-bit PNG with one scale for all of them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from stream3r_ros.export.files import write_bytes

MOST = 65_535
HEADROOM = 4.0
SCALE_NAME = 'scale.json'


def write_depth_png(path: Path | str, depth: np.ndarray, scale: float) -> int:
    """Write (h, w) depth as 16-bit PNG with depth = value * scale; give the lost pixels' number.

    0 means no depth: what is not finite or not positive, and what is beyond 65535 * scale, which
    is what the returned number counts.
    """
    if depth.ndim != 2:
        raise ValueError(f'depth has shape {depth.shape}, expected (h, w)')
    if not scale > 0:
        raise ValueError(f'scale is {scale}, expected more than 0')
    known = np.isfinite(depth) & (depth > 0)
    values = np.rint(np.where(known, depth, 0) / scale)
    beyond = values > MOST
    values[beyond] = 0
    _, data = cv2.imencode('.png', np.maximum(values, known & ~beyond).astype(np.uint16))
    write_bytes(path, data.tobytes())
    return int(beyond.sum())


def read_depth_png(path: Path | str, scale: float) -> np.ndarray:
    """Read (h, w) float32 depth back, NaN where there is none."""
    values = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if values is None or values.dtype != np.uint16 or values.ndim != 2:
        raise ValueError(f'{path} is no 16-bit grey PNG')
    depth = values.astype(np.float32) * np.float32(scale)
    depth[values == 0] = np.nan
    return depth


@dataclass
class DepthFolder:
    """Write the depth images of one run, with `scale.json` beside them.

    Every image has the same scale, chosen from the first one so that four times its farthest
    depth (its 99th percentile) still fits; with 16 bits that leaves steps of a 16000th of that
    depth. Pixels beyond become 0, no depth, and are counted in `scale.json`.
    """

    path: Path
    scale: float | None = None
    images: int = 0
    beyond_range: int = field(default=0, init=False)

    def write(self, name: str, depth: np.ndarray) -> None:
        """Write one image as `name`.png."""
        if self.scale is None:
            self.scale = _scale_for(depth)
        self.beyond_range += write_depth_png(self.path / f'{name}.png', depth, self.scale or 1.0)
        self.images += 1

    def close(self) -> None:
        """Write `scale.json`."""
        sidecar = {
            'scale': self.scale,
            'formula': 'depth = png_value * scale, along the optical axis',
            'no_depth': 0,
            'unit': 'of the network, the same as that of cloud and trajectory',
            'images': self.images,
            'pixels_beyond_range': self.beyond_range,
        }
        write_bytes(self.path / SCALE_NAME, (json.dumps(sidecar, indent=2) + '\n').encode())


def _scale_for(depth: np.ndarray) -> float | None:
    """Choose a scale of two digits; None while no depth has been seen."""
    known = depth[np.isfinite(depth) & (depth > 0)]
    if not known.size:
        return None
    return float(f'{HEADROOM * np.percentile(known, 99) / MOST:.1e}')
