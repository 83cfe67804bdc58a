"""Image files with samples of 16 bits of which a camera filled fewer."""

from __future__ import annotations

import io
import logging
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import ExifTags, Image

from stream3r_ros.images.sample_bits import bits_that_hold, in_eight_bits

log = logging.getLogger(__name__)

MOST_LOOKED_AT = 8
"""Files of a source, evenly spread; the choice holds for all, so that brightness stays."""


def bits_in_use(files: Sequence[Path]) -> int:
    """Choose how many bits of 16 the samples of a source fill: 16 unless all it shows is dark.

    A file that cannot be read says nothing here; whoever reads its picture says why.
    """
    brightest = 0
    for file in files[:: -(-len(files) // MOST_LOOKED_AT)] if files else ():
        try:
            data = file.read_bytes()
            with Image.open(io.BytesIO(data)) as picture:
                samples = deep_samples(picture, data)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            continue
        if samples is not None and samples.size:
            brightest = max(brightest, int(samples.max()))
    bits = bits_that_hold(brightest) if brightest else 16
    if bits < 16:
        log.info(
            'the images have 16 bits a sample and fill %d of them (the brightest is %d): they '
            'are read as %d bits',
            bits, brightest, bits,
        )  # fmt: skip
    return bits


def deep_samples(picture: Image.Image, data: bytes) -> np.ndarray | None:
    """Give the 16-bit samples (h, w) or (h, w, 3) of an opened picture; None if it has 8 bits.

    Pillow keeps the upper 8 of colours, so OpenCV reads these. Ask before pixels are loaded.
    """
    if picture.mode == 'I' or picture.mode.startswith('I;16'):
        return np.asarray(picture).clip(0, 65535).astype(np.uint16)
    if picture.mode == 'RGB' and 'RGB;16' in str(getattr(picture, 'tile', '')):
        flags = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
        try:
            samples = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
        except cv2.error as error:
            raise ValueError(error.err) from error
        if samples is not None and samples.dtype == np.uint16:
            return samples[..., ::-1]
    return None


def brightened(picture: Image.Image, data: bytes, bits: int) -> Image.Image:
    """Give a picture with 8 bits a sample if it has 16, of which so many are in use."""
    samples = deep_samples(picture, data)
    if samples is None:
        return picture
    shallow = Image.fromarray(in_eight_bits(samples, bits))
    orientation = ExifTags.Base.Orientation
    shallow.getexif()[orientation] = picture.getexif().get(orientation, 1)
    return shallow
