"""Video files, decoded as they are played."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stream3r_ros.sources.frame import SourceError, SourceFrame

DEFAULT_RATE_HZ = 30.0


@dataclass(frozen=True, eq=False)
class VideoFile:
    """The frames of a video file's first video stream; `frame_count` as its header says."""

    path: Path
    rate_hz: float
    frame_count: int | None

    @staticmethod
    def open(path: Path) -> VideoFile:
        """Read the header; raises SourceError when it is no video or PyAV is not installed."""
        with _opened(path) as container:
            stream = container.streams.video[0]
            rate = stream.average_rate or stream.guessed_rate
            return VideoFile(path, float(rate or DEFAULT_RATE_HZ), stream.frames or None)

    @property
    def name(self) -> str:
        """Give the path."""
        return str(self.path)

    def __iter__(self) -> Iterator[SourceFrame]:
        """Decode frame after frame; stamps are those of the file, counted from its first frame."""
        av = _load_av()
        with _opened(self.path) as container:
            container.streams.video[0].thread_type = 'AUTO'
            index, first_s = 0, None
            try:
                for frame in container.decode(video=0):
                    time_s = index / self.rate_hz if frame.time is None else float(frame.time)
                    first_s = time_s if first_s is None else first_s
                    yield SourceFrame(
                        index,
                        time_s - first_s,
                        _upright(frame),
                        None,
                        f'{self.path.stem}_{index:06d}',
                    )
                    index += 1
            except av.FFmpegError as error:
                raise SourceError(
                    f'{self.path} cannot be decoded after frame {index}: {error.strerror}'
                ) from error
        if index == 0:
            raise SourceError(f'{self.path} holds no frame that can be decoded')


def _upright(frame: Any) -> np.ndarray:
    """Convert to RGB and undo the rotation that the file asks players to undo."""
    image = frame.to_ndarray(format='rgb24')
    quarters = round(getattr(frame, 'rotation', 0) / 90) % 4
    return np.ascontiguousarray(np.rot90(image, quarters)) if quarters else image


def _opened(path: Path) -> Any:
    av = _load_av()
    try:
        container = av.open(str(path))
    except (av.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, 'strerror', None) or str(error)
        raise SourceError(f'{path} cannot be read as a video: {reason}') from error
    if not container.streams.video:
        container.close()
        raise SourceError(f'{path} holds no video stream')
    return container


def _load_av() -> Any:
    try:
        import av
    except ImportError as error:
        raise SourceError(
            "reading videos needs PyAV: pip install 'stream3r_ros[video]' or pip install av"
        ) from error
    return av
