"""Show how far a run is: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

SECONDS_BETWEEN_LINES = 10.0


class Progress(Protocol):
    """Hear of every finished frame."""

    def advance(self) -> None:
        """Count one frame."""


@contextmanager
def frame_progress(total: int | None) -> Iterator[Progress]:
    """Show progress on standard error; `total` None when nobody knows the number of frames."""
    if sys.stderr.isatty():
        with _bar(total) as bar:
            yield bar
    else:
        yield Lines(total)


class Lines:
    """Print a line at most every ten seconds."""

    def __init__(self, total: int | None) -> None:
        """Begin to count."""
        self.total = total
        self.done = 0
        self.printed_s = time.monotonic()

    def advance(self) -> None:
        """Count one frame."""
        self.done += 1
        if time.monotonic() - self.printed_s < SECONDS_BETWEEN_LINES:
            return
        self.printed_s = time.monotonic()
        of_total = f' of {self.total}' if self.total else ''
        print(f'{self.done}{of_total} frames', file=sys.stderr, flush=True)


@contextmanager
def _bar(total: int | None) -> Iterator[Progress]:
    from rich import progress
    from rich.console import Console

    columns = (
        progress.TextColumn('{task.description}'),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeElapsedColumn(),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task('frames', total=total)

        class Bar:
            def advance(self) -> None:
                bar.advance(task)

        yield Bar()
