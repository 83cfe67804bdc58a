"""Video files, decoded as they are played."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from stream3r_ros.sources.frame import Skip, SourceError, SourceFrame
from stream3r_ros.sources.left_out import LeftOut

DEFAULT_RATE_HZ = 30.0
LEAST_AV = 16
"""The first version that the tests have run on; 12 takes BT.709 for BT.601 and sees no turns."""


@dataclass(frozen=True, eq=False)
class VideoFile:
    """The frames of a video file's first video stream; `frame_count` as its header says.

    Damaged parts are told to ``skip`` and left out; without ``skip`` they end the reading.
    """

    path: Path
    rate_hz: float
    frame_count: int | None
    skip: Skip | None = None
    left_out: tuple[LeftOut, ...] = ()

    @staticmethod
    def open(path: Path, skip: Skip | None = None) -> VideoFile:
        """Read the header; raises SourceError when it is no video or PyAV is not installed."""
        with _opened(path) as container:
            stream = container.streams.video[0]
            rate = stream.average_rate or stream.guessed_rate
            rate_hz = float(rate or DEFAULT_RATE_HZ)
            return VideoFile(path, rate_hz, stream.frames or None, skip)

    @property
    def name(self) -> str:
        """Give the path."""
        return str(self.path)

    def __iter__(self) -> Iterator[SourceFrame]:
        """Decode frame after frame; stamps are those of the file, counted from its first frame."""
        with _opened(self.path) as container:
            stream = container.streams.video[0]
            stream.thread_type = 'AUTO'
            index, first_s = 0, None
            for frame in self._decoded(container, stream):
                time_s = index / self.rate_hz if frame.time is None else float(frame.time)
                first_s = time_s if first_s is None else first_s
                name = f'{self.path.stem}_{index:06d}'
                image_rgb = _upright(frame, stream.sample_aspect_ratio)
                yield SourceFrame(index, time_s - first_s, image_rgb, None, name)
                index += 1
        if index == 0:
            raise SourceError(f'{self.path} holds no frame that can be decoded')

    def _decoded(self, container: Any, stream: Any) -> Iterator[Any]:
        """Decode packet after packet, so that a damaged one costs no others."""
        av = _load_av()
        packets = container.demux(stream)
        count = 0
        while True:
            try:
                packet = next(packets, None)
                frames = [] if packet is None else packet.decode()
            except av.FFmpegError as error:
                self._refuse(count, error.strerror or str(error))
                if isinstance(error, av.EOFError) or packet is None:
                    return
                continue
            if packet is None:
                return
            for frame in frames:
                if frame.is_corrupt:
                    self._refuse(count, 'its data is damaged')
                    continue
                yield frame
                count += 1

    def _refuse(self, count: int, reason: str) -> None:
        sentence = f'{self.path} cannot be decoded after frame {count}: {reason}'
        if self.skip is None:
            raise SourceError(sentence)
        self.skip(f'{self.path.stem}_{count:06d}', sentence)


def _upright(frame: Any, sample_aspect_ratio: Fraction | None) -> np.ndarray:
    """Convert to RGB with square pixels, and turn and mirror it as the file asks players to."""
    width, height = frame.width, frame.height
    aspect = sample_aspect_ratio or 1
    if aspect > 1:
        width = round(width * aspect)
    elif aspect < 1:
        height = round(height / aspect)
    image = frame.to_ndarray(format='rgb24', width=width, height=height)
    data = frame.side_data.get('DISPLAYMATRIX')
    return image if data is None else displayed(image, bytes(data))


def displayed(image: np.ndarray, display_matrix: bytes) -> np.ndarray:
    """Turn and mirror an image (h, w, c) by the matrix of ISO 14496-12, 8.3.2: nine int32.

    A pixel (x, y) is shown at (a x + c y, b x + d y); angles between are those of the nearest
    quarter.
    """
    a, b, _, c, d, *_ = struct.unpack('=9i', display_matrix[:36])
    is_crossed = abs(b) + abs(c) > abs(a) + abs(d)
    along_x, along_y = (c, b) if is_crossed else (a, d)
    shown = image.transpose(1, 0, 2) if is_crossed else image
    if along_x < 0:
        shown = shown[:, ::-1]
    if along_y < 0:
        shown = shown[::-1]
    return np.ascontiguousarray(shown)


def _opened(path: Path) -> Any:
    av = _load_av()
    try:
        # With its scheme, or FFmpeg takes a colon in the name for one.
        container = av.open(f'file:{path}')
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
    if int(av.__version__.split('.')[0]) < LEAST_AV:
        raise SourceError(
            f'PyAV {av.__version__} is too old: it shows colours and turns of videos wrongly; '
            f'install {LEAST_AV} or newer, pip install --upgrade av'
        )
    return av
