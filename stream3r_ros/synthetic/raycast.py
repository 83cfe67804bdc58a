"""Cast one ray through every pixel and meet the nearest surface.

A ray in world axes is R (x, y, 1) with x and y the pixel's normalised coordinates, so that its
parameter is the depth along the optical axis, and every product of a ray with a constant vector
is a sum of a term per column and a term per row. A surface is only met inside the rectangle of
pixels around its projection.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream3r_ros.synthetic.surfaces import Ellipsoid, Patch, Surface, Tube

NEAR_M = 0.05


@dataclass(frozen=True, eq=False)
class View:
    """A camera and the rows of its image that are being cast.

    `x` (w,) and `y` (h,) are the pixels' normalised coordinates, float32.
    """

    position: np.ndarray
    rotation: np.ndarray
    x: np.ndarray
    y: np.ndarray

    def products(self, vector: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Split the product of every ray with a vector into a column and a row term."""
        along = vector @ self.rotation
        x, y, z = along.astype(np.float32)
        return x * self.x + z, y * self.y


@dataclass(frozen=True, eq=False)
class Hits:
    """What every ray met first: inverse depth, surface number and texture coordinates.

    All are (h, w); inverse depth 0 means that nothing was met yet.
    """

    inverse_depth: np.ndarray
    surface: np.ndarray
    u: np.ndarray
    v: np.ndarray

    @staticmethod
    def nothing(hw: tuple[int, int]) -> Hits:
        """Start with rays that met nothing."""
        return Hits(
            np.zeros(hw, np.float32),
            np.zeros(hw, np.int32),
            np.zeros(hw, np.float32),
            np.zeros(hw, np.float32),
        )

    def keep(
        self,
        window: tuple[slice, slice],
        met: np.ndarray,
        inverse_depth: np.ndarray,
        surface: int,
        u: np.ndarray,
        v: np.ndarray,
    ) -> None:
        """Store what was met where `met` is true."""
        np.copyto(self.inverse_depth[window], inverse_depth, where=met)
        np.copyto(self.surface[window], surface, where=met)
        np.copyto(self.u[window], u, where=met)
        np.copyto(self.v[window], v, where=met)


@dataclass(frozen=True, eq=False)
class Caster:
    """The surfaces of a room, with what bounds each and how each patch maps, ready to be cast at.

    `corners` (N, 8, 3) bound the surfaces. `plane` (N, 4) is the normal and the offset of each
    patch, and zeros for other shapes. `chart` (N, 2, 3) takes a point to u and v on a patch,
    after `chart_origin` (N, 2), both counted from the patch's middle.
    """

    surfaces: tuple[Surface, ...]
    corners: np.ndarray
    plane: np.ndarray
    chart: np.ndarray
    chart_origin: np.ndarray

    @staticmethod
    def of(surfaces: tuple[Surface, ...]) -> Caster:
        """Prepare surfaces."""
        corners = np.stack([np.resize(surface.corners(), (8, 3)) for surface in surfaces])
        plane, chart = np.zeros((len(surfaces), 4)), np.zeros((len(surfaces), 2, 3))
        origin = np.zeros((len(surfaces), 2))
        for index, surface in enumerate(surfaces):
            if isinstance(surface, Patch):
                edges = np.stack([surface.right, surface.down])
                plane[index] = [*surface.normal, -surface.normal @ surface.corner]
                chart[index] = edges / (edges**2).sum(axis=1, keepdims=True)
                origin[index] = -chart[index] @ surface.corner - 0.5
        return Caster(surfaces, corners, plane, chart, origin)

    def cast(self, view: View) -> Hits:
        """Meet the nearest surface with every ray of the view."""
        with np.errstate(all='ignore'):
            return self._cast(view)

    def _cast(self, view: View) -> Hits:
        hits = Hits.nothing((len(view.y), len(view.x)))
        windows, charts, origins = self._windows(view), *self._charts(view)
        for index in np.flatnonzero(windows[:, 4]).tolist():
            left, right, top, bottom = windows[index, :4].tolist()
            surface, window = self.surfaces[index], (slice(top, bottom), slice(left, right))
            if isinstance(surface, Patch):
                chart = _Chart(charts[index], origins[index], surface.round)
                _meet_patch(chart, index, view, window, hits)
            elif isinstance(surface, Ellipsoid):
                _meet_ellipsoid(surface, index, view, window, hits)
            else:
                _meet_tube(surface, index, view, window, hits)
        return hits

    def front_distance(self, position: np.ndarray) -> np.ndarray:
        """Give the distance (N,) of a point before each patch, negative behind it."""
        return self.plane[:, :3] @ position + self.plane[:, 3]

    def _charts(self, view: View) -> tuple[np.ndarray, np.ndarray]:
        """Express every patch in pixel rays: rows inverse depth, u and v of (N, 3, 3)."""
        before = self.front_distance(view.position)[:, None]
        inverse = -self.plane[:, :3] / np.where(before > 0, before, np.inf)
        rows = np.concatenate([inverse[:, None], self.chart], axis=1) @ view.rotation
        return rows.astype(np.float32), (self.chart @ view.position + self.chart_origin).astype(
            np.float32
        )

    def _windows(self, view: View) -> np.ndarray:
        """Bound every surface's pixels: (N, 5) left, right, top, bottom and whether any."""
        points = (self.corners - view.position) @ view.rotation
        low, high = _projected_bounds(points)
        left = np.searchsorted(view.x, low[:, 0])
        right = np.searchsorted(view.x, high[:, 0], side='right')
        top = np.searchsorted(view.y, low[:, 1])
        bottom = np.searchsorted(view.y, high[:, 1], side='right')
        faces = (self.front_distance(view.position) > 0) | ~self.plane[:, :3].any(axis=1)
        seen = faces & (left < right) & (top < bottom)
        return np.stack([left, right, top, bottom, seen], axis=1)


def _projected_bounds(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bound the projections of the parts of hulls (N, 8, 3) that lie before the camera.

    A hull that crosses the near plane is cut there along the lines between all its points.
    """
    z = points[..., 2]
    ahead = z > NEAR_M
    with np.errstate(divide='ignore', invalid='ignore'):
        projected = points[..., :2] / z[..., None]
    low = np.where(ahead[..., None], projected, np.inf).min(axis=1)
    high = np.where(ahead[..., None], projected, -np.inf).max(axis=1)
    crossing = np.flatnonzero(ahead.any(axis=1) & ~ahead.all(axis=1))
    if len(crossing):
        cut_low, cut_high = _cut_bounds(points[crossing])
        low[crossing] = np.minimum(low[crossing], cut_low)
        high[crossing] = np.maximum(high[crossing], cut_high)
    margin = 1e-6
    return low - margin, high + margin


def _cut_bounds(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    first, second = points[:, :, None], points[:, None, :]
    span = second[..., 2] - first[..., 2]
    with np.errstate(divide='ignore', invalid='ignore'):
        share = (NEAR_M - first[..., 2]) / span
    cuts = (share >= 0) & (share <= 1)
    share = np.where(cuts, share, 0.0)
    cut = (first + share[..., None] * (second - first))[..., :2] / NEAR_M
    low = np.where(cuts[..., None], cut, np.inf).min(axis=(1, 2))
    high = np.where(cuts[..., None], cut, -np.inf).max(axis=(1, 2))
    return low, high


@dataclass(frozen=True, eq=False)
class _Chart:
    """How rays (x, y, 1) map to inverse depth, and times depth plus origin to u and v."""

    rows: np.ndarray
    origin: np.ndarray
    round: bool

    def product(self, row: int, view: View, window: tuple[slice, slice]) -> np.ndarray:
        a, b, c = self.rows[row]
        return a * view.x[window[1]] + (b * view.y[window[0]] + c)[:, None]


def _meet_patch(
    chart: _Chart, index: int, view: View, window: tuple[slice, slice], hits: Hits
) -> None:
    """Meet a plane: its inverse depth is affine in the pixel, u and v are affine over it."""
    inverse = chart.product(0, view, window)
    closer = inverse > hits.inverse_depth[window]
    if not closer.any():
        return
    depth = 1 / inverse
    u = chart.product(1, view, window) * depth + chart.origin[0]
    v = chart.product(2, view, window) * depth + chart.origin[1]
    if chart.round:
        met = closer & (u * u + v * v <= 0.25)
    else:
        met = closer & (np.maximum(np.abs(u), np.abs(v)) <= 0.5)
    u += np.float32(0.5)
    v += np.float32(0.5)
    hits.keep(window, met, inverse, index, u, v)


def _sum(terms: tuple[np.ndarray, np.ndarray], window: tuple[slice, slice]) -> np.ndarray:
    return terms[0][window[1]] + terms[1][window[0], None]


def _local_rays(view: View, window: tuple[slice, slice], scale: np.ndarray) -> list[np.ndarray]:
    return [_sum(view.products(axis), window) for axis in np.diag(1 / scale)]


def _meet_ellipsoid(
    ball: Ellipsoid, index: int, view: View, window: tuple[slice, slice], hits: Hits
) -> None:
    ox, oy, oz = origin = ((view.position - ball.centre) / ball.radii).tolist()
    dx, dy, dz = _local_rays(view, window, ball.radii)
    a = dx * dx + dy * dy + dz * dz
    b = ox * dx + oy * dy + oz * dz
    discriminant = b * b - a * np.float32(np.dot(origin, origin) - 1)
    inverse = a / (-b - np.sqrt(np.maximum(discriminant, 0)))
    depth = 1 / inverse
    met = (discriminant > 0) & (inverse > hits.inverse_depth[window])
    if met.any():
        u = _turn_share(ox + dx * depth, oy + dy * depth)
        hits.keep(window, met, inverse, index, u, (1 - (oz + dz * depth)) / 2)


def _meet_tube(
    tube: Tube, index: int, view: View, window: tuple[slice, slice], hits: Hits
) -> None:
    """Meet x^2 + y^2 = (radius at z)^2 with both its crossings, between bottom and top."""
    ox, oy, oz = (view.position - tube.base).tolist()
    dx, dy, dz = _local_rays(view, window, np.ones(3))
    radius, slope = tube.radius_bottom + tube.slope * oz, tube.slope
    a = dx * dx + dy * dy - (slope * slope) * dz * dz
    b = ox * dx + oy * dy - (slope * radius) * dz
    discriminant = b * b - a * np.float32(ox * ox + oy * oy - radius * radius)
    root = np.sqrt(np.maximum(discriminant, 0))
    for crossing in (-b - root, -b + root):
        depth, inverse = crossing / a, a / crossing
        z = oz + dz * depth
        met = (discriminant > 0) & (z >= 0) & (z <= tube.height)
        met &= (inverse > hits.inverse_depth[window]) & (inverse < 1 / NEAR_M)
        if met.any():
            u = _turn_share(ox + dx * depth, oy + dy * depth)
            hits.keep(window, met, inverse, index, u, 1 - z / np.float32(tube.height))


def _turn_share(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Give the angle about z as a share of a turn, in [0, 1)."""
    return np.arctan2(y, x) * np.float32(0.5 / np.pi) % np.float32(1)
