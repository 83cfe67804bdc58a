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
LEAST_AV = 17
"""The tests have run on it; all before take BT.709 and BT.2020 for BT.601, off by 30 of 255."""

MP4, MATROSKA = 'mp4', 'matroska'
TIME_BASE_HZ = 10**6
MOST_SILENCE_S = 1.0
"""A Matroska header says a duration and no number of frames; sound may end a little later."""

MOST_STRETCH = 10
"""Pixels of real formats are at most about twice as wide as high; damaged headers say anything."""


@dataclass
class Tally:
    """What has come out of a file: packets to be shown, frames good or bad, and until when."""

    packets: int = 0
    frames: int = 0
    end_s: float = 0.0

    def add(self, packet: Any) -> None:
        """Count a packet, but for one that an edit list cuts out or that only ends the stream."""
        self.packets += packet.size > 0 and not packet.is_discard
        if packet.pts is not None:
            end = packet.pts + (packet.duration or 0)
            self.end_s = max(self.end_s, float(end * packet.time_base))


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
                image_rgb = _upright(frame, self._pixel_aspect(stream))
                yield SourceFrame(index, time_s - first_s, image_rgb, None, name)
                index += 1
        if index == 0:
            raise SourceError(f'{self.path} holds no frame that can be decoded')

    def _decoded(self, container: Any, stream: Any) -> Iterator[Any]:
        """Decode packet after packet, so that a damaged one costs no others."""
        tally = Tally()
        for packet in self._packets(container, stream, tally):
            tally.add(packet)
            for frame in self._frames_of(packet, tally):
                if frame.is_corrupt:
                    self._refuse(tally, 'its data is damaged')
                    continue
                yield frame
                tally.frames += 1
        missing = _missing(container, stream, tally, self.rate_hz)
        if missing > 0 and tally.frames:
            self._skip(
                tally.frames,
                f'{self.path} is not whole: its header announces {missing} more frames than the '
                f'{tally.frames} that it holds',
                missing,
            )

    def _packets(self, container: Any, stream: Any, tally: Tally) -> Iterator[Any]:
        av = _load_av()
        try:
            yield from container.demux(stream)
        except av.FFmpegError as error:
            self._refuse(tally, error.strerror or str(error))

    def _frames_of(self, packet: Any, tally: Tally) -> list[Any]:
        """Decode one packet; one that is bad stands for one frame."""
        av = _load_av()
        if packet.is_corrupt:
            self._refuse(tally, 'its data is damaged')
            return []
        try:
            return packet.decode()
        except av.FFmpegError as error:
            self._refuse(tally, error.strerror or str(error))
            return []

    def _refuse(self, tally: Tally, reason: str) -> None:
        number = tally.frames
        self._skip(number, f'{self.path} cannot be decoded near frame {number}: {reason}')
        tally.frames += 1

    def _skip(self, number: int, sentence: str, count: int = 1) -> None:
        if self.skip is None:
            raise SourceError(sentence)
        self.skip(f'{self.path.stem}_{number:06d}', sentence, count)

    def _pixel_aspect(self, stream: Any) -> Fraction:
        aspect = stream.sample_aspect_ratio or Fraction(1)
        if not 1 / MOST_STRETCH <= aspect <= MOST_STRETCH:
            raise SourceError(f'{self.path} says its pixels are {aspect} times as wide as high')
        return aspect


def _missing(container: Any, stream: Any, tally: Tally, rate_hz: float) -> int:
    """Count the frames that the header announces and that did not come.

    Few formats announce any. That of MP4 counts frames that edit lists cut out as well, and no
    seconds of them, so packets and the duration tell.
    """
    kind = container.format.name
    came_s = tally.end_s - float((stream.start_time or 0) * stream.time_base)
    if MP4 in kind:
        short_s = float((stream.duration or 0) * stream.time_base) - came_s
        return tally.packets - tally.frames + max(round(short_s * rate_hz), 0)
    if MATROSKA in kind:
        short_s = (container.duration or 0) / TIME_BASE_HZ - came_s
        return round(short_s * rate_hz) if short_s > MOST_SILENCE_S else 0
    return stream.frames - tally.frames


def _upright(frame: Any, aspect: Fraction) -> np.ndarray:
    """Convert to RGB with square pixels, and turn and mirror it as the file asks players to."""
    width, height = frame.width, frame.height
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
        said = isinstance(error, (av.FFmpegError, OSError)) and error.strerror
        raise SourceError(f'{path} cannot be read as a video: {said or error}') from error
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
