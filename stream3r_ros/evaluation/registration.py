"""Rigid registration and normals of point clouds, by Open3D or by scipy with the same numbers."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from stream3r_ros.evaluation.requirement import require
from stream3r_ros.geometry.rigid import rigid, transform_points

# The defaults of Open3D 0.20, which is the field's tool.
MOST_ITERATIONS = 30
CONVERGED = 1e-6
NEIGHBOURS = 30
FLAT_NORMAL = (0.0, 0.0, 1.0)
CHUNK_POINTS = 65_536


class Registration(Protocol):
    """Align clouds and find their normals."""

    name: str

    def align(self, source: np.ndarray, target: np.ndarray, threshold: float) -> np.ndarray:
        """Give target_from_source (4, 4) by point-to-point ICP from the identity."""

    def normals(self, points: np.ndarray) -> np.ndarray:
        """Give (N, 3) unit normals, of either sign, of (N, 3) points."""


class Open3dRegistration:
    """Ask Open3D, with its defaults."""

    name = 'open3d'

    def __init__(self) -> None:
        """Import Open3D; raises RuntimeError where it does not load."""
        self._open3d = require('open3d', 'this registration')

    def align(self, source: np.ndarray, target: np.ndarray, threshold: float) -> np.ndarray:
        """Give target_from_source (4, 4) by point-to-point ICP from the identity."""
        registration = self._open3d.pipelines.registration
        result = registration.registration_icp(
            self._cloud(source),
            self._cloud(target),
            threshold,
            np.eye(4),
            registration.TransformationEstimationPointToPoint(),
        )
        return np.array(result.transformation)

    def normals(self, points: np.ndarray) -> np.ndarray:
        """Give (N, 3) unit normals, of either sign, of (N, 3) points."""
        cloud = self._cloud(points)
        cloud.estimate_normals()
        return np.array(cloud.normals)

    def _cloud(self, points: np.ndarray):
        vectors = self._open3d.utility.Vector3dVector(np.asarray(points, np.float64))
        return self._open3d.geometry.PointCloud(vectors)


class ScipyRegistration:
    """Compute with numpy and scipy what Open3D computes by default."""

    name = 'scipy'

    def __init__(self) -> None:
        """Import scipy; raises RuntimeError where it is missing."""
        self._spatial = require('scipy.spatial', 'reconstruction')

    def align(self, source: np.ndarray, target: np.ndarray, threshold: float) -> np.ndarray:
        """Give target_from_source (4, 4) by point-to-point ICP from the identity.

        It ends when the share of matched points and their RMS distance both change by less than
        1e-6, or after 30 steps. Without a point within the threshold it is the identity.
        """
        target = np.asarray(target, np.float64)
        tree = self._spatial.cKDTree(target)
        moved, pose = np.array(source, np.float64), np.eye(4)
        match = _Match(tree, moved, threshold)
        for _ in range(MOST_ITERATIONS):
            if not len(match.source):
                break
            step = rigid_between(moved[match.source], target[match.target])
            moved, pose = transform_points(step, moved), step @ pose
            previous, match = match, _Match(tree, moved, threshold)
            if match.is_close_to(previous):
                break
        return pose

    def normals(self, points: np.ndarray) -> np.ndarray:
        """Give (N, 3) unit normals, of either sign, of (N, 3) points.

        The direction of least variance among 30 neighbours, the point itself included; along z
        where there are fewer than three.
        """
        points = np.asarray(points, np.float64)
        if len(points) < 3:
            return np.tile(FLAT_NORMAL, (len(points), 1))
        tree = self._spatial.cKDTree(points)
        chunks = (
            points[start : start + CHUNK_POINTS] for start in range(0, len(points), CHUNK_POINTS)
        )
        return np.concatenate([self._normals(tree, points, chunk) for chunk in chunks])

    @staticmethod
    def _normals(tree, points: np.ndarray, chunk: np.ndarray) -> np.ndarray:
        _, neighbours = tree.query(chunk, min(NEIGHBOURS, len(points)), workers=-1)
        around = points[neighbours]
        around -= around.mean(axis=1, keepdims=True)
        covariance = np.einsum('nki,nkj->nij', around, around)
        return np.linalg.eigh(covariance)[1][..., 0]


class _Match:
    """Nearest neighbours within a distance: rows of source and target, their share and RMS."""

    def __init__(self, tree, points: np.ndarray, threshold: float) -> None:
        distance, nearest = tree.query(points, distance_upper_bound=threshold, workers=-1)
        found = np.isfinite(distance)
        self.source, self.target = np.flatnonzero(found), nearest[found]
        self.fitness = float(found.mean()) if len(points) else 0.0
        square = distance[found] ** 2
        self.rms = float(np.sqrt(square.mean())) if len(square) else 0.0

    def is_close_to(self, other: _Match) -> bool:
        return (
            abs(self.fitness - other.fitness) < CONVERGED and abs(self.rms - other.rms) < CONVERGED
        )


def best_registration() -> Registration:
    """Take Open3D where it loads, else scipy."""
    try:
        return Open3dRegistration()
    except RuntimeError:
        return ScipyRegistration()


def rigid_between(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Give the rigid target_from_source (4, 4) with the least squares over pairs of (N, 3) points.

    Kabsch's method: the rotation from the singular vectors of the cross-covariance, without
    reflection.
    """
    source_centre, target_centre = source.mean(axis=0), target.mean(axis=0)
    u, _, vt = np.linalg.svd((target - target_centre).T @ (source - source_centre))
    proper = np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    rotation = u @ proper @ vt
    return rigid(rotation, target_centre - rotation @ source_centre)
