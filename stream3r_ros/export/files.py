"""Write files so that a final name never stands for half a file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replaced_atomically(path: Path | str) -> Iterator[Path]:
    """Give a temporary path beside `path`, and move it there when the block succeeds.

    The temporary file is removed when the block fails.
    """
    path = Path(path)
    temporary = path.with_name(f'.{path.name}.{os.getpid()}.part')
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def check_folder(folder: Path | str) -> None:
    """Refuse a folder into which nothing could be written, before the work and not after it.

    A folder that is missing is no trouble where it can be made. Nothing stays of the attempt.
    Raises OSError with one sentence.
    """
    folder = Path(folder)
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not there.is_dir():
        raise NotADirectoryError(f'{folder} cannot be written: {there} is a file, not a folder')
    try:
        with tempfile.TemporaryDirectory(prefix='.stream3r-', dir=there) as place:
            Path(place, 'probe').write_bytes(bytes(4096))
    except OSError as error:
        raise OSError(f'{folder} cannot be written: {there}: {error.strerror or error}') from error


def write_bytes(path: Path | str, data: bytes) -> None:
    """Write a whole file or nothing."""
    with replaced_atomically(path) as temporary:
        temporary.write_bytes(data)
