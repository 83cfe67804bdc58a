"""What could not be read on the way: counted, said and written, while the rest goes on."""

from __future__ import annotations

import sys
import threading

from stream3r_ros.sources import FrameSource

NAMED = 100
"""Files that are named in a summary."""
SAID = 5


def say_left_out(source: FrameSource, strict: bool = False) -> None:
    """Say at the start which files are no frames.

    Raises ValueError where some of them are images that cannot be read and that is an error.
    """
    unreadable = [str(each) for each in source.left_out if each.is_unreadable]
    if strict and unreadable:
        raise ValueError(f'{source.name}: {"; ".join(unreadable)}')
    for each in source.left_out:
        print(f'stream3r: {each}', file=sys.stderr)


class Skipped:
    """Files and frames that were left out since they could not be read; for any thread."""

    def __init__(self) -> None:
        self.count = 0
        self.named: list[dict[str, str]] = []
        self._known: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def add(self, name: str, sentence: str, count: int = 1) -> None:
        """Take note, once where an input is played again; the first few are said at once."""
        with self._lock:
            if (name, sentence) in self._known:
                return
            self._known.add((name, sentence))
            self.count += count
            if len(self.named) < NAMED:
                self.named.append({'name': name, 'reason': sentence})
            if len(self.named) <= SAID:
                print(f'stream3r: skipped: {sentence}', file=sys.stderr)

    def summary(self, source: FrameSource) -> dict[str, object]:
        """Give what a summary says: files that are no frames, and frames that were none."""
        return {
            'left_out': [
                {'reason': each.reason, 'count': len(each.names), 'names': each.names[:NAMED]}
                for each in source.left_out
            ],
            'skipped': self.count,
            'skipped_names': self.named,
        }

    def report(self) -> None:
        """Say at the end what is missing."""
        if self.count:
            images = 'image was' if self.count == 1 else 'images were'
            print(
                f'stream3r: {self.count} {images} skipped, named in summary.json; '
                f'--strict makes that an error',
                file=sys.stderr,
            )
