"""A reader of PCD 0.7 that knows one layout and accepts nothing else."""

from typing import NamedTuple

import numpy as np


class Pcd(NamedTuple):
    """What a file holds."""

    points: np.ndarray
    colors: np.ndarray
    confidences: np.ndarray


def read_pcd(path):
    """Read x y z rgb confidence; the header's order and the number of bytes must be exact."""
    head, data = path.read_bytes().split(b'DATA binary\n', 1)
    lines = head.decode('ascii').splitlines()
    count = int(lines[9].split()[1])
    assert lines == [
        '# .PCD v0.7 - Point Cloud Data file format',
        'VERSION 0.7',
        'FIELDS x y z rgb confidence',
        'SIZE 4 4 4 4 4',
        'TYPE F F F F F',
        'COUNT 1 1 1 1 1',
        f'WIDTH {count}',
        'HEIGHT 1',
        'VIEWPOINT 0 0 0 1 0 0 0',
        f'POINTS {count}',
    ]
    assert len(data) == 20 * count
    rows = np.frombuffer(data, np.uint8).reshape(count, 20)
    # PCL and Open3D read the float's bytes from the lowest: blue, green, red, nothing.
    assert not rows[:, 15].any()
    return Pcd(
        rows[:, :12].copy().view('<f4'),
        rows[:, [14, 13, 12]],
        rows[:, 16:].copy().view('<f4').ravel(),
    )
