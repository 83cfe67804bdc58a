"""What a JPEG or PNG file says of itself, read before a decoder touches it."""

from __future__ import annotations

import re
from dataclasses import dataclass

JPEG_START = b'\xff\xd8'
JPEG_END = b'\xff\xd9'
JPEG_SCAN = b'\xff\xda'
JPEG_FILL = re.compile(rb'\xff+')
JPEG_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
JPEG_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})
MOST_SCANS = 100
"""Each scan of a progressive JPEG goes through all pixels, so a few bytes can cost seconds."""

PNG_START = b'\x89PNG\r\n\x1a\n'
PNG_END = b'IEND\xae\x42\x60\x82'
PNG_GREY_TYPES = (0, 4)
PNG_HEADER_BYTES = 33


@dataclass(frozen=True)
class FileHeader:
    """The size of an image file and whether it has one channel of grey."""

    image_hw: tuple[int, int]
    is_grey: bool


def read_file_header(data: bytes) -> FileHeader:
    """Read the header of a JPEG or PNG and see that the file has an end.

    Decoders make half an image of half a file, some of them without a word. Raises ValueError for
    other formats, for a header that makes no sense and for a truncated file.
    """
    if data.startswith(JPEG_START):
        return _read_jpeg(data)
    if data.startswith(PNG_START):
        return _read_png(data)
    raise ValueError(f'{len(data)} bytes that are neither JPEG nor PNG')


def is_deep_png(data: bytes) -> bool:
    """Tell whether a file, or its first PNG_HEADER_BYTES, is a PNG of 16 bits a sample."""
    return data.startswith(PNG_START) and len(data) >= PNG_HEADER_BYTES and data[24] == 16


def _read_png(data: bytes) -> FileHeader:
    """Read the IHDR chunk, which is always the first (PNG specification, 11.2.2)."""
    if len(data) < PNG_HEADER_BYTES or data[12:16] != b'IHDR':
        raise ValueError(f'PNG of {len(data)} bytes has no complete header')
    if PNG_END not in data:
        raise ValueError(f'PNG of {len(data)} bytes is truncated: it has no IEND chunk')
    width, height = (int.from_bytes(data[start : start + 4], 'big') for start in (16, 20))
    return FileHeader((height, width), data[25] in PNG_GREY_TYPES)


def _read_jpeg(data: bytes) -> FileHeader:
    """Walk the segments up to the first scan (ITU-T T.81, annex B)."""
    header, position = None, len(JPEG_START)
    while data[position := _marker(data, position)] != JPEG_SCAN[1]:
        if data[position] in JPEG_WITHOUT_LENGTH:
            position += 1
            continue
        length = int.from_bytes(data[position + 1 : position + 3], 'big')
        if data[position] in JPEG_FRAMES and header is None:
            header = _read_frame(data[position + 3 : position + 1 + length])
        position += 1 + max(length, 2)
    if header is None:
        raise ValueError('JPEG does not say its size before its pixels')
    _check_scans(data, position)
    return header


def _marker(data: bytes, position: int) -> int:
    """Find the code of the next marker: any number of bytes FF may stand before it (B.1.1.2)."""
    fill = JPEG_FILL.match(data, position)
    code = fill.end() if fill else position
    if len(data) < code + 3:
        raise ValueError(f'JPEG of {len(data)} bytes is truncated: it ends before its pixels')
    # Decoders pass over FF 00; what they would find behind it is not what we would.
    if fill is None or data[code] == 0:
        raise ValueError(f'JPEG has no marker at byte {position}')
    return code


def _read_frame(frame: bytes) -> FileHeader:
    if len(frame) < 6:
        raise ValueError(f'JPEG has a frame header of {len(frame)} bytes, expected 9 or more')
    height, width = (int.from_bytes(frame[start : start + 2], 'big') for start in (1, 3))
    return FileHeader((height, width), frame[5] == 1)


def _check_scans(data: bytes, position: int) -> None:
    # Inside of a scan a byte FF is followed by 00 or a restart, so this finds the markers only;
    # an embedded preview lies before the first scan.
    if data.find(JPEG_END, position) < 0:
        raise ValueError(f'JPEG of {len(data)} bytes is truncated: it has no end marker')
    scans = data.count(JPEG_SCAN, position)
    if scans > MOST_SCANS:
        raise ValueError(f'JPEG has {scans} scans, expected at most {MOST_SCANS}')
