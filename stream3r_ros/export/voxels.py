"""A point map with one point a voxel, which grows frame by frame up to a bound."""

from __future__ import annotations

import math

import numpy as np

from stream3r_ros.geometry.cloud import OUTSIDE, best_of_each, voxel_keys

AUTO_VOXELS_TO_MEDIAN = 200
CHUNK_POINTS = 65_536
GROWTH = math.sqrt(2)
"""Of a voxel's side when the points run out; on surfaces that halves their number."""
FREE = OUTSIDE


class VoxelMap:
    """Keep, in every voxel, the position and colour of the most confident point so far.

    At most `max_points` points are kept: when they run out, the voxels grow by the root of 2 and
    the map is thinned accordingly, so that it goes on covering what is seen (`voxel_size` tells
    the present size). That bounds the memory to about 75 bytes times `max_points`, and as much
    again for the moments in which the table is built anew. Points that are not finite, or farther
    away than 2**20 voxels, never enter.

    Voxels are found through an open-addressing hash table whose operations are vectorised.
    """

    voxel_size: float | None
    _count: int
    _points: np.ndarray
    _colors: np.ndarray
    _confidences: np.ndarray
    _keys: np.ndarray
    _rows: np.ndarray

    def __init__(self, voxel_size: float | None = None, max_points: int = 2_000_000) -> None:
        """Start an empty map.

        `voxel_size` is in the points' unit; None takes 1/200 of the median distance of the first
        points from the origin, rounded to two digits. Raises ValueError for impossible sizes.
        """
        if voxel_size is not None and not (voxel_size > 0 and np.isfinite(voxel_size)):
            raise ValueError(f'voxel_size is {voxel_size}, expected more than 0')
        if max_points < 64:
            raise ValueError(f'max_points is {max_points}, expected at least 64')
        self.voxel_size = voxel_size
        self.max_points = max_points
        self._clear(min(max_points, 16_384))

    def __len__(self) -> int:
        """Give the number of points, one a voxel."""
        return self._count

    @property
    def points(self) -> np.ndarray:
        """Give the (N, 3) float32 positions, as a view that the next `add` may change."""
        return self._points[: self._count]

    @property
    def colors(self) -> np.ndarray:
        """Give the (N, 3) uint8 colours, as a view that the next `add` may change."""
        return self._colors[: self._count]

    @property
    def confidences(self) -> np.ndarray:
        """Give the (N,) float32 confidences, as a view that the next `add` may change."""
        return self._confidences[: self._count]

    def add(self, points: np.ndarray, colors: np.ndarray, confidences: np.ndarray) -> None:
        """Add (N, 3) points with (N, 3) uint8 colours and (N,) confidences."""
        points, colors, confidences = _checked(points, colors, confidences)
        if self.voxel_size is None:
            self.voxel_size = _size_from(points)
            if self.voxel_size is None:
                return
        for start in range(0, len(points), CHUNK_POINTS):
            part = slice(start, start + CHUNK_POINTS)
            while not self._try_add(points[part], colors[part], confidences[part]):
                self._coarsen()

    def _try_add(self, points: np.ndarray, colors: np.ndarray, confidences: np.ndarray) -> bool:
        """Add points unless that takes more voxels than there may be; say whether.

        After a refusal the table is spoilt and `_coarsen` must follow.
        """
        keys = voxel_keys(points, self._side)
        # NaN fails the comparison.
        keys[~(confidences > -np.inf)] = OUTSIDE
        best = best_of_each(keys, confidences)
        self._reserve(len(best))
        slots = self._claim(keys[best])
        new = slots[self._rows[slots] < 0]
        count = self._count + len(new)
        if count > self.max_points:
            return False
        self._rows[new] = np.arange(self._count, count, dtype=np.int32)
        self._confidences[self._count : count] = -np.inf
        self._count = count
        rows = self._rows[slots]
        better = confidences[best] > self._confidences[rows]
        rows, best = rows[better], best[better]
        self._points[rows] = points[best]
        self._colors[rows] = colors[best]
        self._confidences[rows] = confidences[best]
        return True

    @property
    def _side(self) -> float:
        assert self.voxel_size is not None
        return self.voxel_size

    def _claim(self, keys: np.ndarray) -> np.ndarray:
        """Give the slots of keys that differ from each other, taking free ones for new keys.

        Linear probing: keys that meet their own key are done; those that meet a free slot write
        themselves there, and whoever remains after that is done, too.
        """
        mask = len(self._keys) - 1
        slots = _hash(keys) & mask
        waiting = np.arange(len(keys))
        while len(waiting):
            there, mine = slots[waiting], keys[waiting]
            free = self._keys[there] == FREE
            self._keys[there[free]] = mine[free]
            waiting = waiting[self._keys[there] != mine]
            slots[waiting] = (slots[waiting] + 1) & mask
        return slots

    def _reserve(self, incoming: int) -> None:
        """Make room for `incoming` more rows, and keep the table at most half full."""
        needed = self._count + incoming
        if needed > len(self._points):
            self._points, self._colors, self._confidences = (
                _grown(array, max(needed, min(2 * len(array), self.max_points)))
                for array in (self._points, self._colors, self._confidences)
            )
        if 2 * needed > len(self._keys):
            self._rehash(2 * needed)

    def _rehash(self, slots: int) -> None:
        """Build the table anew from the points, with at least so many slots."""
        self._make_table(slots)
        taken = self._claim(voxel_keys(self.points, self._side))
        self._rows[taken] = np.arange(self._count, dtype=np.int32)

    def _coarsen(self) -> None:
        """Let the voxels grow and keep the most confident point of each."""
        points, colors = self.points.copy(), self.colors.copy()
        confidences = self.confidences.copy()
        self._clear(len(self._points))
        self.voxel_size = GROWTH * self._side
        self.add(points, colors, confidences)

    def _clear(self, capacity: int) -> None:
        self._count = 0
        self._points = np.empty((capacity, 3), np.float32)
        self._colors = np.empty((capacity, 3), np.uint8)
        self._confidences = np.empty(capacity, np.float32)
        self._make_table(2 * capacity)

    def _make_table(self, slots: int) -> None:
        size = 1 << int(slots - 1).bit_length()
        self._keys = np.full(size, FREE, np.int64)
        self._rows = np.full(size, -1, np.int32)


def _checked(
    points: np.ndarray, colors: np.ndarray, confidences: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    points = np.asarray(points, np.float32)
    colors, confidences = np.asarray(colors), np.asarray(confidences, np.float32)
    count = len(confidences)
    if points.shape != (count, 3) or colors.shape != (count, 3) or confidences.ndim != 1:
        raise ValueError(
            f'points {points.shape}, colors {colors.shape} and confidences {confidences.shape} '
            'do not belong together, expected (N, 3), (N, 3) and (N,)'
        )
    if colors.dtype != np.uint8:
        raise ValueError(f'colors have dtype {colors.dtype}, expected uint8')
    return points, colors, confidences


def _size_from(points: np.ndarray) -> float | None:
    distances = np.linalg.norm(points, axis=1)
    distances = distances[np.isfinite(distances) & (distances > 0)]
    if not len(distances):
        return None
    return float(f'{np.median(distances) / AUTO_VOXELS_TO_MEDIAN:.1e}')


def _hash(keys: np.ndarray) -> np.ndarray:
    mixed = keys.view(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return (mixed >> np.uint64(32)).astype(np.int64)


def _grown(array: np.ndarray, size: int) -> np.ndarray:
    grown = np.empty((size, *array.shape[1:]), array.dtype)
    grown[: len(array)] = array
    return grown
