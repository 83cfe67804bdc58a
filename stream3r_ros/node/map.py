"""The map: what a stream has seen so far, one point a voxel, to be published and saved."""

import os
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Header

from stream3r_ros.export import VoxelMap, replaced_atomically, write_pcd, write_ply
from stream3r_ros.geometry.cloud import point_type
from stream3r_ros.node.clouds import list_message

FIELDS = 'xyzrgbc'
POINT_BYTES = point_type(FIELDS).itemsize
MAP_BYTES = 10_000_000
PLY_NAME, PCD_NAME = 'map.ply', 'map.pcd'


@dataclass(frozen=True)
class MapCopy:
    """The points of a map at one instant, in the map's frame."""

    points: np.ndarray  # (N, 3) float32
    colours: np.ndarray  # (N, 3) uint8
    confidence: np.ndarray  # (N,) float32


class MapPoints:
    """Gather the points of a stream's frames in the frame that its poses refer to.

    At most ``max_points`` are kept, the most confident one of each voxel; see VoxelMap for what
    happens when they run out and for the memory. Any thread may call any method: the lock is
    held while points go in and while they are copied, never while they are written anywhere.
    """

    def __init__(self, voxel_size: float = 0.05, max_points: int = 500_000) -> None:
        """Begin an empty map; raises ValueError as VoxelMap does.

        ``voxel_size`` is in the points' unit; 0 lets the first frame's distances choose.
        """
        self._voxel_size = voxel_size or None
        self._max_points = max_points
        self._map = VoxelMap(self._voxel_size, max_points)
        self._changes = 0
        self._lock = threading.Lock()
        self._saving = threading.Lock()

    def __len__(self) -> int:
        """Give the number of points."""
        return len(self._map)

    @property
    def changes(self) -> int:
        """Count the changes: the same number means the same map, which nobody needs again."""
        return self._changes

    @property
    def voxel_size(self) -> float:
        """Give the present side of a voxel; 0 before the first points of an automatic map."""
        return self._map.voxel_size or 0.0

    def add(
        self,
        points_in_camera: np.ndarray,
        colours: np.ndarray,
        confidence: np.ndarray,
        world_from_camera: np.ndarray,
    ) -> None:
        """Add points (..., 3) float32, colours (..., 3) uint8 and confidence (...) of one frame.

        ``world_from_camera`` (4, 4) takes points from the frame they are in to the map's. Points
        that are not finite, there or here, stay out.
        """
        points = points_in_camera.reshape(-1, 3)
        known = np.flatnonzero(np.isfinite(points[:, 2]))
        rotation, translation = world_from_camera[:3, :3], world_from_camera[:3, 3]
        with np.errstate(over='ignore', invalid='ignore'):  # the map refuses what comes of it
            points = points[known] @ rotation.T.astype(np.float32) + translation.astype(np.float32)
        colours, confidence = colours.reshape(-1, 3)[known], confidence.reshape(-1)[known]
        with self._lock:
            self._map.add(points, colours, confidence)
            self._changes += 1

    def clear(self) -> None:
        """Forget everything: a new stream has a world of its own."""
        with self._lock:
            self._map = VoxelMap(self._voxel_size, self._max_points)
            self._changes += 1

    def message(self, header: Header, most_bytes: int = MAP_BYTES) -> PointCloud2:
        """Make a list of the points x y z rgb confidence; the header's frame is the map's.

        When that takes more than ``most_bytes``, every n-th point is left in.
        """
        copy = self._copy()
        every = -(-len(copy.points) * POINT_BYTES // most_bytes) or 1
        thin = slice(None, None, every)
        return list_message(
            header, copy.points[thin], copy.colours[thin], copy.confidence[thin], FIELDS
        )

    def save(self, folder: Path | str) -> tuple[Path, Path]:
        """Write map.ply and map.pcd into a folder and give their absolute paths.

        Both have colours and confidences, and replace older files of these names only when both
        are whole. An empty ``folder`` is the current working directory. Raises ValueError when
        the map is empty and OSError when the folder cannot be made or written.
        """
        folder = Path(os.path.expanduser(folder)).resolve()
        copy = self._copy()
        if not len(copy.points):
            raise ValueError(
                'the map is empty: nothing was saved; it is made of frames whose depth somebody '
                'subscribes to, or of all with map.always'
            )
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OSError(f'cannot save the map to {folder}: {error.strerror}') from error
        paths = folder / PLY_NAME, folder / PCD_NAME
        with self._saving:
            _write(copy, *paths)
        return paths

    def _copy(self) -> MapCopy:
        with self._lock:
            voxels = self._map
            return MapCopy(voxels.points.copy(), voxels.colors.copy(), voxels.confidences.copy())


def _write(copy: MapCopy, ply: Path, pcd: Path) -> None:
    arrays = copy.points, copy.colours, copy.confidence
    try:
        with replaced_atomically(ply) as new_ply, replaced_atomically(pcd) as new_pcd:
            write_ply(new_ply, *arrays)
            write_pcd(new_pcd, *arrays)
    except OSError as error:
        raise OSError(f'cannot save the map to {ply.parent}: {error.strerror or error}') from error
