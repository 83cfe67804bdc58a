"""A folder of results, which go into it as they come."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stream3r_ros.export.depth import SCALE_NAME
from stream3r_ros.export.files import check_folder

RESULTS = (
    'summary.json', 'cloud.ply', 'trajectory.tum', 'frames.jsonl', 'picture.png', 'depth',
)  # fmt: skip


def check_output(folder: Path, overwrite: bool) -> None:
    """Refuse a folder that results may not go into; raises ValueError or OSError."""
    if folder.exists() and not folder.is_dir():
        raise ValueError(f'{folder} is a file, expected a folder')
    check_folder(folder)
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    if not overwrite:
        raise ValueError(f'{folder} is not empty: choose another --out or add --overwrite')
    depth = folder / 'depth'
    if depth.exists() and not (depth / SCALE_NAME).is_file():
        raise ValueError(f'{depth} is not of an earlier run and would be replaced: move it away')


@contextmanager
def results_folder(folder: Path) -> Iterator[Path]:
    """Make the folder, and take it away again where nothing was written into it."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield folder
    finally:
        for path in missing:
            if any(path.iterdir()):
                break
            path.rmdir()


def remove_results(folder: Path) -> None:
    """Remove what a run wrote, the summary first; other files stay."""
    for name in RESULTS:
        path = folder / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
