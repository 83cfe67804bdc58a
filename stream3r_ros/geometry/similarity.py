"""Similarity transforms Sim(3), and the one that takes points to their partners.

Umeyama, PAMI 1991, with weights; made robust by iteratively reweighted least squares (Huber).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ROUNDS = 5
KNEE = 0.1
"""Residual from which a pair counts for less, as a share of the median distance of the points."""
MOST_SCALE = 4.0
LEAST_INLIERS = 0.5
LEAST_PAIRS = 100


@dataclass(frozen=True, eq=False)
class Similarity:
    """``target_from_source``: x -> scale * rotation @ x + translation."""

    scale: float
    rotation: np.ndarray  # (3, 3)
    translation: np.ndarray  # (3,)

    @classmethod
    def identity(cls) -> Similarity:
        """Give the one that changes nothing."""
        return cls(1.0, np.eye(3), np.zeros(3))

    def points(self, points: np.ndarray) -> np.ndarray:
        """Take points (..., 3) along."""
        return self.scale * points @ self.rotation.T + self.translation

    def pose(self, source_from_camera: np.ndarray) -> np.ndarray:
        """Take a camera's pose (..., 4, 4) along; it stays rigid, in the target's unit."""
        moved = np.array(source_from_camera, float)
        moved[..., :3, :3] = self.rotation @ moved[..., :3, :3]
        moved[..., :3, 3] = self.points(moved[..., :3, 3])
        return moved

    def inverse(self) -> Similarity:
        """Give source_from_target."""
        rotation = self.rotation.T
        return Similarity(1 / self.scale, rotation, -rotation @ self.translation / self.scale)

    def __matmul__(self, other: Similarity) -> Similarity:
        """Give the one that does ``other`` first."""
        return Similarity(
            self.scale * other.scale,
            self.rotation @ other.rotation,
            self.points(other.translation),
        )


@dataclass(frozen=True, eq=False)
class Fit:
    """A similarity, the share of pairs that it fits, and the median of its residuals."""

    target_from_source: Similarity
    inlier_share: float
    residual: float


def weighted_similarity(source: np.ndarray, target: np.ndarray, weights: np.ndarray) -> Similarity:
    """Give the similarity with the least weighted squares, from (N, 3) to (N, 3).

    Raises ValueError where the points leave it undetermined: all in one place or on one line.
    """
    share = weights / weights.sum()
    source_mean, target_mean = share @ source, share @ target
    source_centred, target_centred = source - source_mean, target - target_mean
    covariance = (target_centred * share[:, None]).T @ source_centred
    left, spread, right = np.linalg.svd(covariance)
    if not spread[1] > 1e-9 * max(spread[0], 1e-300):
        raise ValueError('the shared points lie on one line or in one place')
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(left) * np.linalg.det(right))])
    rotation = (left * signs) @ right
    variance = share @ (source_centred**2).sum(axis=1)
    scale = float((spread * signs).sum() / variance)
    return Similarity(scale, rotation, target_mean - scale * rotation @ source_mean)


def robust_similarity(
    source: np.ndarray, target: np.ndarray, weights: np.ndarray, origin: np.ndarray
) -> Fit:
    """Fit (N, 3) points to their partners (N, 3), of which many may be wrong.

    Residuals are compared with the median distance of the target's points from ``origin`` (3,),
    the camera that sees them. Raises ValueError with a sentence for what is not to be believed:
    too few pairs, a scale outside 1/MOST_SCALE to MOST_SCALE, too few inliers, or NaN.
    """
    finite = np.isfinite(source).all(axis=1) & np.isfinite(target).all(axis=1)
    finite &= np.isfinite(weights) & (weights > 0)
    source, target, weights = source[finite], target[finite], weights[finite]
    if len(source) < LEAST_PAIRS:
        raise ValueError(f'only {len(source)} shared points, expected {LEAST_PAIRS} or more')
    knee = KNEE * float(np.median(np.linalg.norm(target - origin, axis=1)))
    factors = np.ones(len(source))
    for _ in range(ROUNDS):
        found = weighted_similarity(source, target, weights * factors)
        residuals = np.linalg.norm(found.points(source) - target, axis=1)
        factors = np.minimum(1.0, knee / np.maximum(residuals, 1e-12 + 1e-12 * knee))
    fit = Fit(found, float((residuals <= knee).mean()), float(np.median(residuals)))
    _check(fit)
    return fit


def _check(fit: Fit) -> None:
    scale = fit.target_from_source.scale
    if not (np.isfinite(scale) and 1 / MOST_SCALE <= scale <= MOST_SCALE):
        bounds = f'1/{MOST_SCALE:g} to {MOST_SCALE:g}'
        raise ValueError(f'the scale would be {scale:.3g}, expected {bounds}')
    if fit.inlier_share < LEAST_INLIERS:
        raise ValueError(
            f'only {fit.inlier_share:.0%} of the shared points agree, expected '
            f'{LEAST_INLIERS:.0%} or more'
        )
