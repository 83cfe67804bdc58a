"""What every source of frames gives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from stream3r_ros.sources.left_out import LeftOut


class Skip(Protocol):
    """Told what cannot be read."""

    def __call__(self, name: str, sentence: str, count: int = 1, /) -> None:
        """Hear the name of a file or of the first of `count` frames, and why, in a sentence."""


class SourceError(ValueError):
    """A source that cannot be opened or read; the message is one sentence for a person."""


@dataclass(frozen=True, eq=False)
class SourceFrame:
    """One frame of a source.

    `stamp_s` counts from the first frame. `image_rgb` is (h, w, 3) uint8. `intrinsics` (3, 3) are
    None where nobody knows them. `encoded` are the bytes of the file that the frame was read
    from, if they are a JPEG or PNG that shows exactly `image_rgb`, and `encoded_format` says
    which: 'jpeg' or 'png'. Only a source that knows the truth gives `depth_m` (h, w) float32,
    along the optical axis, and `world_from_camera` (4, 4) in optical axes.
    """

    index: int
    stamp_s: float
    image_rgb: np.ndarray
    intrinsics: np.ndarray | None
    name: str
    encoded: bytes | None = None
    encoded_format: str | None = None
    depth_m: np.ndarray | None = None
    world_from_camera: np.ndarray | None = None


class FrameSource(Protocol):
    """A sequence of frames that can be iterated again and again, one frame in memory at a time.

    `frame_count` is None where it is unknown or endless. Iterating raises SourceError when a
    frame cannot be read, unless the source was opened with something to tell that to.
    """

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """Give what lies there and is no frame."""

    @property
    def name(self) -> str:
        """Give the name to show to a person."""

    @property
    def rate_hz(self) -> float:
        """Give the nominal frames a second."""

    @property
    def frame_count(self) -> int | None:
        """Give the number of frames, or None."""

    def __iter__(self) -> Iterator[SourceFrame]:
        """Read the frames from the first on."""
