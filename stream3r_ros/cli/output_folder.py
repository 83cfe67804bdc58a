"""A folder of results that is either complete or as it was before."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stream3r_ros.export.depth import SCALE_NAME
from stream3r_ros.export.files import check_folder

RESULTS = ('cloud.ply', 'trajectory.tum', 'depth', 'picture.png', 'summary.json')


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
    """Give a hidden folder to write results into, and move them into `folder` on success.

    Results of an earlier run are replaced one by one, `summary.json` last; other files stay. On
    failure nothing is left, not even `folder` if it was made for this.
    """
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    work = folder / f'.stream3r-{os.getpid()}'
    try:
        work.mkdir()
        yield work
        for name in RESULTS:
            _move(work, folder, name)
        missing = []
    finally:
        shutil.rmtree(work, ignore_errors=True)
        for path in missing:
            path.rmdir()


def _move(work: Path, folder: Path, name: str) -> None:
    target = folder / name
    if target.is_dir():
        os.replace(target, work / f'old-{name}')
    os.replace(work / name, target)
