"""Images in files."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps

from stream3r_ros.sources.companions import companions
from stream3r_ros.sources.deep_files import bits_in_use, brightened
from stream3r_ros.sources.frame import Skip, SourceError, SourceFrame
from stream3r_ros.sources.left_out import OTHER_PICTURES, LeftOut, describe
from stream3r_ros.sources.ordering import in_natural_order
from stream3r_ros.sources.ordering import natural_key as natural_key  # offered here too

IMAGE_SUFFIXES = frozenset('.png .jpg .jpeg .bmp .tif .tiff .webp .ppm .pgm .pnm .jp2'.split())
HEIC_SUFFIXES = frozenset({'.heic', '.heif', '.hif'})
BROKEN_LINKS = 'links that lead nowhere'
NO_HEIC = 'HEIC, which needs pip install pillow-heif'
NO_IMAGES = 'of a kind that is not read from folders'
NO_COLOUR_IMAGES = 'depth maps, masks or labels beside colour images'
UNREADABLE = frozenset({BROKEN_LINKS, NO_HEIC})
LFS_POINTER = b'version https://git-lfs'
HEIC_BRANDS = frozenset({b'heic', b'heix', b'heim', b'heis', b'hevc', b'hevx', b'mif1', b'msf1'})
DEFAULT_RATE_HZ = 10.0
ENCODED_FORMATS = {'JPEG': 'jpeg', 'MPO': 'jpeg', 'PNG': 'png'}


@dataclass(frozen=True, eq=False)
class ImageFolder:
    """The images of a folder in the order a person would count them: 2.png before 10.png.

    ``left_out`` are files that are no frames. A file that cannot be read is told to ``skip`` and
    left out while the others are read; without ``skip`` it ends the reading.
    """

    path: Path
    files: tuple[Path, ...]
    rate_hz: float = DEFAULT_RATE_HZ
    left_out: tuple[LeftOut, ...] = ()
    skip: Skip | None = None

    @staticmethod
    def of_folder(
        path: Path, rate_hz: float | None = None, skip: Skip | None = None
    ) -> ImageFolder:
        """List the images of a folder; raises SourceError when it has none."""
        try:
            listed = [file for file in path.iterdir() if not file.name.startswith('.')]
        except OSError as error:
            raise SourceError(f'{path} cannot be listed: {error.strerror}') from error
        files, left_out = _sorted_out(listed)
        if not files:
            known = ', '.join(sorted(suffix[1:] for suffix in image_suffixes()))
            others = ''.join(f'; {each}' for each in left_out)
            raise SourceError(f'{path} holds no images ({known}){others}')
        return ImageFolder.of_files(path, files, rate_hz, left_out, skip)

    @staticmethod
    def of_files(
        path: Path,
        files: list[Path],
        rate_hz: float | None = None,
        left_out: tuple[LeftOut, ...] = (),
        skip: Skip | None = None,
    ) -> ImageFolder:
        """Order files by their names, numbers by their value."""
        ordered = tuple(in_natural_order(files))
        return ImageFolder(path, ordered, rate_hz or DEFAULT_RATE_HZ, left_out, skip)

    @property
    def name(self) -> str:
        """Give the path."""
        return str(self.path)

    @property
    def frame_count(self) -> int:
        """Give the number of images."""
        return len(self.files)

    def __iter__(self) -> Iterator[SourceFrame]:
        """Read one image after the other; a file that is skipped leaves a gap in the stamps."""
        bits = bits_in_use(self.files)
        index = 0
        for place, file in enumerate(self.files):
            try:
                image_rgb, encoded, encoded_format = read_image(file, bits)
            except SourceError as error:
                if self.skip is None:
                    raise
                self.skip(file.name, str(error))
                continue
            stamp_s = place / self.rate_hz
            yield SourceFrame(index, stamp_s, image_rgb, None, file.name, encoded, encoded_format)
            index += 1
        if index == 0:
            raise SourceError(f'{self.path} holds no image that can be read')


def _sorted_out(listed: list[Path]) -> tuple[list[Path], tuple[LeftOut, ...]]:
    """Tell images from what lies beside them."""
    reasons: dict[str, list[str]] = {
        reason: [] for reason in (BROKEN_LINKS, NO_HEIC, NO_IMAGES, NO_COLOUR_IMAGES)
    }
    files = []
    for file in listed:
        suffix = file.suffix.lower()
        if _is_broken_link(file):
            reasons[BROKEN_LINKS].append(file.name)
        elif not file.is_file():
            continue
        elif suffix in image_suffixes():
            files.append(file)
        elif suffix in HEIC_SUFFIXES:
            reasons[NO_HEIC].append(file.name)
        elif suffix in OTHER_PICTURES or suffix in Image.registered_extensions():
            reasons[NO_IMAGES].append(file.name)
    beside = companions(files)
    reasons[NO_COLOUR_IMAGES] = [file.name for file in beside]
    return [file for file in files if file not in beside], describe(reasons, UNREADABLE)


def _is_broken_link(file: Path) -> bool:
    try:
        return file.is_symlink() and not file.exists()
    except OSError:  # a link to itself, before Python 3.13
        return True


def image_suffixes() -> frozenset[str]:
    """Give the endings of the images that can be read here, HEIC among them with pillow-heif."""
    return IMAGE_SUFFIXES | (HEIC_SUFFIXES if can_read_heic() else frozenset())


@cache
def can_read_heic() -> bool:
    """Let Pillow read HEIC if pillow-heif is installed, and tell whether it is."""
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        return False
    register_heif_opener()
    return True


def read_image(file: Path, bits: int = 16) -> tuple[np.ndarray, bytes | None, str | None]:
    """Read an image as (h, w, 3) uint8, upright, 16 bits scaled to 8, alpha on white.

    `bits` of 16 are in use. Also gives the file's own bytes and their format where these show
    the same picture.
    """
    try:
        data = file.read_bytes()
        _check_contents(data)
        with Image.open(io.BytesIO(data)) as picture:
            shown = brightened(picture, data, bits) if bits < 16 else picture
            shown.load()
            image_rgb, encoded_format = to_rgb(shown), _encoded_format(shown)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise SourceError(f'{file} cannot be read as an image: {_reason(error)}') from error
    return image_rgb, data if encoded_format else None, encoded_format


def _check_contents(data: bytes) -> None:
    """Raise ValueError for what is no image for a reason that one can do something about."""
    if not data:
        raise ValueError('it is empty')
    if data.startswith(LFS_POINTER):
        raise ValueError('it is a Git LFS pointer and not the file itself: run `git lfs pull`')
    # Whatever the name says, by the first box of ISO/IEC 23008-12.
    if data[4:8] == b'ftyp' and data[8:12] in HEIC_BRANDS and not can_read_heic():
        raise ValueError(f'it is {NO_HEIC}')


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
