"""Checkpoint files for tests: any keys and shapes, sparse on disk."""

import json
import math
import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np


def write_sparse_safetensors(
    path: Path,
    shapes: Mapping[str, tuple[int, ...]],
    values: Mapping[str, np.ndarray] | None = None,
) -> int:
    """Write a float32 safetensors file whose tensors are zero unless given; return its size.

    Zeros are holes in the file, so the published 4.8 GB need next to no disk.
    """
    header, offset = {}, 0
    for key, shape in shapes.items():
        end = offset + 4 * math.prod(shape)
        header[key] = {'dtype': 'F32', 'shape': list(shape), 'data_offsets': [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    text += b' ' * (-len(text) % 8)
    start = 8 + len(text)
    with path.open('wb') as file:
        file.write(struct.pack('<Q', len(text)) + text)
        file.truncate(start + offset)
        for key, value in (values or {}).items():
            file.seek(start + header[key]['data_offsets'][0])
            file.write(np.ascontiguousarray(value, np.float32).tobytes())
    return start + offset
