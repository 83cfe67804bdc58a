"""Metric scale: the metres in a unit of length, from measured depth or from a measured way.

Everything is in the logarithm of the factor, where twice too much and half too little weigh the
same, and where a spread is a relative one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SIGMA_OF_MAD = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""
LEAST_PIXELS = 100
INDEPENDENT = 4
"""Errors of a surface go together: an image counts as so many independent pixels, declared."""
LEAST_SIGMA = 0.005
"""Of the log: no sensor and no clock is better than that."""
GATE = 3.0
EDGE = 0.05
"""Relative step of depth to a neighbour from which on a pixel is at an edge."""
LEAST_PLACES = 5


@dataclass(frozen=True)
class LogScale:
    """An estimate of log(metres per unit), its standard deviation, and on how much it rests."""

    value: float
    sigma: float
    count: int = 1

    @property
    def factor(self) -> float:
        """Give the metres per unit."""
        return math.exp(self.value)


def scale_of_depths(measured_m: np.ndarray, estimated: np.ndarray) -> LogScale | None:
    """Compare depths (N,), finite and positive, of the same N pixels of one image.

    The median of the log ratio, and its spread by the MAD; None for less than LEAST_PIXELS.
    """
    if len(measured_m) < LEAST_PIXELS:
        return None
    ratios = np.log(measured_m.astype(np.float64)) - np.log(estimated.astype(np.float64))
    middle = float(np.median(ratios))
    spread = SIGMA_OF_MAD * float(np.median(np.abs(ratios - middle)))
    return LogScale(middle, max(spread / math.sqrt(INDEPENDENT), LEAST_SIGMA))


def fused_scale(estimates: Sequence[LogScale]) -> LogScale:
    """Join the estimates (one or more) of several images, the outliers among them left out.

    A mean with inverse variances as weights, over those within GATE deviations of the median.
    Neighbouring images see the same and err alike, so that together they are as sure as one of
    them. When they differ by more than they promised, the sigma grows by as much: the factor is
    sqrt(chi^2 / (n - 1)) (R. T. Birge, Phys. Rev. 40, 1932).
    """
    values = np.array([estimate.value for estimate in estimates])
    variances = np.array([estimate.sigma for estimate in estimates]) ** 2
    away = np.abs(values - np.median(values))
    among = SIGMA_OF_MAD * np.median(away)
    kept = away <= GATE * np.sqrt(variances + among**2)
    values, weights = values[kept], 1 / variances[kept]
    mean = float(values @ weights / weights.sum())
    surplus = float(weights @ (values - mean) ** 2) / max(len(values) - 1, 1)
    sigma = math.sqrt(max(surplus, 1.0) / weights.mean())
    return LogScale(mean, max(sigma, LEAST_SIGMA), len(values))


def scale_of_way(
    measured_from_camera: np.ndarray, estimated_from_camera: np.ndarray
) -> LogScale | None:
    """Compare N poses (N, 4, 4) of one camera, the measured ones in metres.

    Both ways begin at their first pose, axes included, so that no rotation is left to fit: a way
    in another direction is an error and not an alignment. The factor sqrt(sum |a|^2 / sum |b|^2)
    of the centred positions a and b favours neither. Positions drift, so their errors go
    together: they count as those of one place, whatever N is. None for less than LEAST_PLACES,
    and where the estimated or the measured camera stays where it is.
    """
    count = len(measured_from_camera)
    if count < LEAST_PLACES:
        return None
    measured, estimated = (
        _centred_way(poses) for poses in (measured_from_camera, estimated_from_camera)
    )
    square_m, square = float((measured**2).sum()), float((estimated**2).sum())
    if not (square_m > 0 and square > 0 and math.isfinite(square_m + square)):
        return None
    factor = math.sqrt(square_m / square)
    missed = float(((measured - factor * estimated) ** 2).sum()) / square_m
    # Of 3 N coordinates four went into the offset and the factor; one axis in three is the way's.
    sigma = math.sqrt(missed * count / (3 * count - 4))
    return LogScale(math.log(factor), max(sigma, LEAST_SIGMA), count)


def _centred_way(poses: np.ndarray) -> np.ndarray:
    """Give positions (N, 3) along the axes of the first pose, about their mean."""
    positions = (poses[:, :3, 3] - poses[0, :3, 3]) @ poses[0, :3, :3]
    return positions - positions.mean(axis=0)


def smooth_pixels(depth: np.ndarray, edge: float = EDGE) -> np.ndarray:
    """Mark pixels (H, W) bool whose four neighbours have a depth like theirs, within ``edge``.

    At an edge a pixel may be taken for the surface behind it, and a small shift between two
    cameras is a large error. A pixel beside one that is not finite and positive is at an edge.
    """
    with np.errstate(divide='ignore', invalid='ignore'):
        height = np.log(np.where(depth > 0, depth, np.nan))
    smooth = np.isfinite(height)
    most = math.log1p(edge)
    for axis in (0, 1):
        steps = np.abs(np.diff(height, axis=axis)) <= most  # NaN is not
        before, after = ((slice(None),) * axis + (part,) for part in (slice(1, None), slice(-1)))
        smooth[before] &= steps
        smooth[after] &= steps
    return smooth
