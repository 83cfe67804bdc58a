"""Images in files."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps

from stream3r_ros.sources.deep_files import bits_in_use, brightened
from stream3r_ros.sources.frame import SourceError, SourceFrame

IMAGE_SUFFIXES = frozenset({'.png', '.jpg', '.jpeg', '.bmp', '.tif', '.tiff', '.webp'})
DEFAULT_RATE_HZ = 10.0
ENCODED_FORMATS = {'JPEG': 'jpeg', 'MPO': 'jpeg', 'PNG': 'png'}


@dataclass(frozen=True, eq=False)
class ImageFolder:
    """The images of a folder in the order a person would count them: 2.png before 10.png."""

    path: Path
    files: tuple[Path, ...]
    rate_hz: float = DEFAULT_RATE_HZ

    @staticmethod
    def of_folder(path: Path, rate_hz: float | None = None) -> ImageFolder:
        """List the images of a folder; raises SourceError when it has none."""
        try:
            files = [
                file
                for file in path.iterdir()
                if file.suffix.lower() in IMAGE_SUFFIXES
                and file.is_file()
                and not file.name.startswith('.')
            ]
        except OSError as error:
            raise SourceError(f'{path} cannot be listed: {error.strerror}') from error
        if not files:
            known = ', '.join(sorted(suffix[1:] for suffix in IMAGE_SUFFIXES))
            raise SourceError(f'{path} holds no images ({known})')
        return ImageFolder.of_files(path, files, rate_hz)

    @staticmethod
    def of_files(path: Path, files: list[Path], rate_hz: float | None = None) -> ImageFolder:
        """Order files by their names, numbers by their value."""
        ordered = sorted(files, key=lambda file: natural_key(file.name))
        return ImageFolder(path, tuple(ordered), rate_hz or DEFAULT_RATE_HZ)

    @property
    def name(self) -> str:
        """Give the path."""
        return str(self.path)

    @property
    def frame_count(self) -> int:
        """Give the number of images."""
        return len(self.files)

    def __iter__(self) -> Iterator[SourceFrame]:
        """Read one image after the other."""
        bits = bits_in_use(self.files)
        for index, file in enumerate(self.files):
            image_rgb, encoded, encoded_format = read_image(file, bits)
            yield SourceFrame(
                index, index / self.rate_hz, image_rgb, None, file.name, encoded, encoded_format
            )


def natural_key(name: str) -> list[tuple[int, int | str]]:
    """Split a name into words and numbers, for sorting."""
    parts = re.split(r'(\d+)', name.lower())
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in parts if part] + [
        (2, name)
    ]


def read_image(file: Path, bits: int = 16) -> tuple[np.ndarray, bytes | None, str | None]:
    """Read an image as (h, w, 3) uint8, upright, 16 bits scaled to 8, alpha on white.

    `bits` of 16 are in use. Also gives the file's own bytes and their format where these show
    the same picture.
    """
    try:
        data = file.read_bytes()
        with Image.open(io.BytesIO(data)) as picture:
            shown = brightened(picture, data, bits) if bits < 16 else picture
            shown.load()
            image_rgb, encoded_format = to_rgb(shown), _encoded_format(shown)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise SourceError(f'{file} cannot be read as an image: {_reason(error)}') from error
    return image_rgb, data if encoded_format else None, encoded_format


def to_rgb(picture: Image.Image) -> np.ndarray:
    """Turn any picture into upright 8-bit RGB on white."""
    picture = ImageOps.exif_transpose(picture)
    if picture.mode == 'I' or picture.mode.startswith('I;16'):
        grey = np.asarray(picture).astype(np.int64) >> 8
        return np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[..., None], 3, axis=2)
    if picture.mode == 'F':
        raise ValueError('its pixels are floating-point numbers')
    if _has_alpha(picture):
        picture = picture.convert('RGBA')
        white = Image.new('RGBA', picture.size, (255, 255, 255, 255))
        picture = Image.alpha_composite(white, picture)
    return np.array(picture.convert('RGB'))


def _has_alpha(picture: Image.Image) -> bool:
    return picture.mode in ('RGBA', 'LA', 'PA', 'RGBa', 'La') or 'transparency' in picture.info


def _encoded_format(picture: Image.Image) -> str | None:
    """Say as what the file's bytes may be passed on, None where decoders would disagree."""
    upright = picture.getexif().get(ExifTags.Base.Orientation, 1) == 1
    plain = picture.mode in ('RGB', 'L') and not _has_alpha(picture)
    return ENCODED_FORMATS.get(picture.format or '') if upright and plain else None


def _reason(error: Exception) -> str:
    if isinstance(error, Image.UnidentifiedImageError):
        return 'unknown or damaged format'
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return text.strip().rstrip('.') or type(error).__name__
