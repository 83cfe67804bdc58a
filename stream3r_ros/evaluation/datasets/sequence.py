"""What every data set is read into: sequences of files that are known to be there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from stream3r_ros.sources.folder import read_image
from stream3r_ros.sources.ordering import in_natural_order

MOST_NAMED = 4

DepthReader = Callable[[Path], np.ndarray]
"""Read depth (h, w) float32 in metres along the optical axis, NaN where it is unknown."""


class DatasetError(ValueError):
    """A data set that cannot be read; the message is one sentence that names the files."""


@dataclass(frozen=True, eq=False)
class FrameFiles:
    """One frame: its image, and depth file and `world_from_camera` (4, 4) where known."""

    image: Path
    depth: Path | None = None
    world_from_camera: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class DatasetSequence:
    """Frames of one camera, in the order of time; `intrinsics` (3, 3) where the data set has one.

    Images and depth are read when they are asked for.
    """

    name: str
    frames: tuple[FrameFiles, ...]
    read_depth: DepthReader | None = None
    intrinsics: np.ndarray | None = None

    def image_rgb(self, index: int) -> np.ndarray:
        """Read the image (h, w, 3) uint8 of a frame; raises ValueError for a damaged file."""
        return read_image(self.frames[index].image)[0]

    def depth_m(self, index: int) -> np.ndarray:
        """Read the true depth (h, w) of a frame; raises DatasetError for a damaged file."""
        path = self.frames[index].depth
        assert path is not None and self.read_depth is not None
        return self.read_depth(path)

    def world_from_camera(self) -> np.ndarray:
        """Give the true poses (S, 4, 4), in optical axes."""
        return np.stack([_known(frame.world_from_camera) for frame in self.frames])


def pinhole_matrix(fx: float, fy: float, cx: float, cy: float) -> np.ndarray:
    """Make a (3, 3) camera matrix, in pixels."""
    return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], float)


def require_files(dataset: str, root: Path, paths: Iterable[Path]) -> None:
    """Raise DatasetError, naming files or folders below `root`, if some are missing."""
    missing = [path for path in paths if not path.exists()]
    if not missing:
        return
    names = [str(path.relative_to(root)) for path in missing[:MOST_NAMED]]
    if len(missing) > MOST_NAMED:
        names.append(f'{len(missing) - MOST_NAMED} more')
    listing = ' and '.join([', '.join(names[:-1]), names[-1]] if len(names) > 1 else names)
    raise DatasetError(f'the {dataset} folder {root} lacks {listing}')


def require_frames(dataset: str, root: Path, frames: Sequence[FrameFiles]) -> None:
    """Raise DatasetError, naming the files, if images or depth files are missing."""
    paths = [path for frame in frames for path in (frame.image, frame.depth) if path is not None]
    require_files(dataset, root, paths)


def choose(dataset: str, names: Sequence[str], only: Collection[str] | None) -> list[str]:
    """Keep the sequences whose names are wanted, all for None; raises ValueError for unknown."""
    if only is None:
        return list(names)
    unknown = sorted(set(only) - set(names))
    if unknown:
        raise ValueError(
            f'{dataset} has no sequence {", ".join(unknown)}, expected some of {", ".join(names)}'
        )
    return [name for name in names if name in only]


def numbered(folder: Path, pattern: str) -> list[Path]:
    """List the files of a folder in the order of the numbers in their names."""
    return in_natural_order(list(folder.glob(pattern)))


def read_matrix(path: Path, shape: tuple[int, int] = (4, 4)) -> np.ndarray:
    """Read a matrix from a text file; raises DatasetError where there is none of that shape."""
    matrix = read_numbers(path)
    if matrix.size != shape[0] * shape[1]:
        raise DatasetError(f'{path} holds {matrix.size} numbers, expected {shape[0] * shape[1]}')
    return matrix.reshape(shape)


def read_numbers(path: Path) -> np.ndarray:
    """Read the whitespace-separated numbers of a text file; raises DatasetError for other text."""
    try:
        return np.array(path.read_text().split(), float)
    except (ValueError, OSError) as error:
        raise DatasetError(f'{path} cannot be read as numbers: {error}') from error


def read_depth_png(path: Path, units_per_m: float, most_m: float = np.inf) -> np.ndarray:
    """Read a 16-bit depth image, NaN where it is 0, 65535 or above `most_m`."""
    values = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if values is None or values.dtype != np.uint16 or values.ndim != 2:
        raise DatasetError(f'{path} cannot be read as a 16-bit grey PNG')
    depth = values.astype(np.float32) / np.float32(units_per_m)
    depth[(values == 0) | (values == 65535) | (depth > most_m)] = np.nan
    return depth


def _known(pose: np.ndarray | None) -> np.ndarray:
    assert pose is not None
    return pose
