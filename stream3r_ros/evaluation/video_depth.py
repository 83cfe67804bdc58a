"""Errors of the depth of a whole video under one alignment (Sintel, Bonn, KITTI)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stream3r_ros.evaluation.requirement import require

ALIGNMENTS = ('scale', 'scale-shift', 'metric')
REWEIGHTED_STEPS = 10
LEAST_RESIDUAL = 1e-6
LEAST_DEPTH = 1e-5
LEAST_FACTOR_TOLERANCE = 1e-7


@dataclass(frozen=True)
class DepthErrors:
    """Errors over the valid pixels of a video; RMSE in metres, log RMSE in natural logarithms."""

    abs_rel: float
    rmse: float
    log_rmse: float
    delta_1_25: float
    pixels: int


@dataclass(frozen=True)
class DepthAlignment:
    """Turn predicted depth into true depth: factor * depth + shift."""

    factor: float = 1.0
    shift: float = 0.0

    def apply(self, depth: np.ndarray) -> np.ndarray:
        """Align depth of any shape."""
        return depth * np.float32(self.factor) + np.float32(self.shift)


def depth_errors(
    true_m: np.ndarray, predicted: np.ndarray, alignment: str = 'scale', cap_m: float | None = None
) -> DepthErrors:
    """Measure the depth of all frames of a video, arrays of one shape, under one alignment.

    True depth that is not finite, not positive or not below `cap_m` does not count; aligned depth
    is capped, too. `alignment` is one of ALIGNMENTS. Raises ValueError when nothing is left.
    """
    valid = np.isfinite(true_m) & (true_m > 0) & np.isfinite(predicted)
    if cap_m is not None:
        valid &= true_m < cap_m
    true, found = true_m[valid], predicted[valid]
    if not len(true):
        raise ValueError('no pixel of the video has both true and predicted depth')
    aligned = align_depth(true, found, alignment).apply(found)
    return _errors(true, np.clip(aligned, LEAST_DEPTH, cap_m))


def align_depth(true: np.ndarray, predicted: np.ndarray, alignment: str) -> DepthAlignment:
    """Choose the alignment of (N,) predicted with (N,) true depths."""
    if alignment == 'metric':
        return DepthAlignment()
    if alignment == 'scale':
        return DepthAlignment(scale_of(true, predicted))
    if alignment == 'scale-shift':
        return scale_and_shift_of(true, predicted)
    raise ValueError(f'alignment is {alignment!r}, expected one of {", ".join(ALIGNMENTS)}')


def scale_of(true: np.ndarray, predicted: np.ndarray) -> float:
    """Give the factor with the least absolute residuals, by ten reweighted least squares.

    It starts at the ratio of the means; a weight is the inverse of the last residual.
    """
    factor = _mean(true) / _mean(predicted)
    for _ in range(REWEIGHTED_STEPS):
        residual = np.abs(true - predicted * np.float32(factor))
        weighted = predicted / np.maximum(residual, LEAST_RESIDUAL)
        factor = _sum(weighted * true) / _sum(weighted * predicted)
    return factor


def scale_and_shift_of(true: np.ndarray, predicted: np.ndarray) -> DepthAlignment:
    """Give factor and shift with the least absolute deviations.

    For a given factor the best shift is the median residual, and what is left of the sum is
    convex in the factor alone: a search in one dimension finds the optimum.
    """
    optimize = require('scipy.optimize', 'alignment by scale and shift')

    def shift_for(factor: float) -> np.float32:
        return np.median(true - predicted * np.float32(factor))

    def deviation(factor: float) -> float:
        residual = true - predicted * np.float32(factor)
        return _mean(np.abs(residual - np.median(residual)))

    start = scale_of(true, predicted)
    found = optimize.minimize_scalar(
        deviation,
        bracket=(0.8 * start, start),
        method='golden',
        options={'xtol': LEAST_FACTOR_TOLERANCE},
    )
    return DepthAlignment(float(found.x), float(shift_for(found.x)))


def mean_depth(errors: Sequence[DepthErrors]) -> DepthErrors:
    """Average over videos, each weighted by its valid pixels."""
    weights = np.array([one.pixels for one in errors], float)

    def mean(name: str) -> float:
        return float(np.average([getattr(one, name) for one in errors], weights=weights))

    return DepthErrors(
        mean('abs_rel'), mean('rmse'), mean('log_rmse'), mean('delta_1_25'), int(weights.sum())
    )


def _errors(true: np.ndarray, found: np.ndarray) -> DepthErrors:
    ratio = found / true
    return DepthErrors(
        _mean(np.abs(ratio - 1)),
        float(np.sqrt(_mean((found - true) ** 2))),
        float(np.sqrt(_mean(np.log(ratio) ** 2))),
        _mean(np.maximum(ratio, 1 / ratio) < 1.25),
        len(true),
    )


def _mean(values: np.ndarray) -> float:
    return float(values.mean(dtype=np.float64))


def _sum(values: np.ndarray) -> float:
    return float(values.sum(dtype=np.float64))
