"""An evenly thinned record of something that may go on for ever."""

from __future__ import annotations

from typing import Generic, TypeVar

import numpy as np

Item = TypeVar('Item')


class Thinned(Generic[Item]):
    """Keep every n-th item; n doubles whenever more than `most` would be kept.

    So the kept items always cover the whole time evenly, and the memory is bounded.
    """

    def __init__(self, most: int) -> None:
        """Keep nothing yet."""
        self.most = most
        self.items: list[Item] = []
        self._every = 1
        self._seen = 0

    def add(self, item: Item) -> bool:
        """See one more item; tell whether the kept ones changed."""
        keep = self._seen % self._every == 0
        self._seen += 1
        if not keep:
            return False
        self.items.append(item)
        if len(self.items) > self.most:
            self.items = self.items[::2]
            self._every *= 2
        return True

    def clear(self) -> None:
        """Begin anew."""
        self.items, self._every, self._seen = [], 1, 0


def evenly(count: int, most: int) -> np.ndarray:
    """Choose at most `most` of `count` indices, evenly spread from the first to the last."""
    return np.linspace(0, count - 1, min(count, most)).round().astype(int)
