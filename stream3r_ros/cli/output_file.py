"""A file that a command will write at its end."""

from __future__ import annotations

from pathlib import Path

from stream3r_ros.export.files import check_folder


def check_place(path: Path | None) -> None:
    """Refuse a file that could not be written, before hours of work.

    Raises ValueError or OSError.
    """
    if path is None:
        return
    if path.is_dir():
        raise ValueError(f'{path} is a folder, expected a file to write')
    if not path.parent.is_dir():
        raise ValueError(f'{path.parent} is no folder: {path.name} cannot be written there')
    check_folder(path.parent)
