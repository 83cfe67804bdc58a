"""Write files so that a final name never stands for half a file."""

from __future__ import annotations

import os
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


def write_bytes(path: Path | str, data: bytes) -> None:
    """Write a whole file or nothing."""
    with replaced_atomically(path) as temporary:
        temporary.write_bytes(data)
