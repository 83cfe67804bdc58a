"""Open a source by what a person types."""

from __future__ import annotations

import os
from pathlib import Path

from stream3r_ros.sources.folder import HEIC_SUFFIXES, ImageFolder, image_suffixes
from stream3r_ros.sources.frame import FrameSource, Skip, SourceError

SYNTHETIC_PREFIX = 'synthetic:'


def open_source(
    spec: str,
    *,
    synthetic_hw: tuple[int, int] = (480, 640),
    synthetic_frames: int | None = None,
    rate_hz: float | None = None,
    skip: Skip | None = None,
) -> FrameSource:
    """Open a folder of images, one image, a video file, `synthetic:SEED` or `synthetic:SEED/PATH`.

    PATH is the seed of another way through the room than its own. `synthetic_hw` and
    `synthetic_frames` (None: endless) shape the synthetic room. `rate_hz` replaces the nominal
    rate of images and of the room; a video keeps its own. `skip` is told what cannot be read,
    and the rest is read; without it that is an error. Raises SourceError with one sentence when
    there is nothing to read there.
    """
    if rate_hz is not None and not rate_hz > 0:
        raise SourceError(f'the rate is {rate_hz}, expected more than 0 frames per second')
    if spec.startswith(SYNTHETIC_PREFIX):
        return _open_synthetic(spec, synthetic_hw, synthetic_frames, rate_hz)
    if not spec:
        raise SourceError(
            'the source is empty: expected a folder of images, a video or synthetic:SEED'
        )
    path = _existing_path(spec)
    if path.is_dir():
        return ImageFolder.of_folder(path, rate_hz, skip)
    if path.suffix.lower() in image_suffixes() | HEIC_SUFFIXES:
        return ImageFolder.of_files(path, [path], rate_hz)
    from stream3r_ros.sources.video import VideoFile

    return VideoFile.open(path, skip)


def _existing_path(spec: str) -> Path:
    """Take a name as it stands; where there is none such, ~ may mean a home directory."""
    path = Path(spec)
    try:
        if path.exists():
            return path
        # Path.expanduser raises where ~x is nobody's home.
        if (at_home := Path(os.path.expanduser(spec))).exists():
            return at_home
    except OSError as error:
        raise SourceError(f'{spec} cannot be opened: {error.strerror}') from error
    raise SourceError(
        f'{spec} does not exist: expected a folder of images, a video or synthetic:SEED'
    )


def _open_synthetic(
    spec: str, image_hw: tuple[int, int], frames: int | None, rate_hz: float | None
) -> FrameSource:
    seed, _, path = spec.removeprefix(SYNTHETIC_PREFIX).partition('/')
    for text in (seed, path) if '/' in spec else (seed,):
        if not (text.isascii() and text.isdigit()):
            raise SourceError(
                f'the seed in {spec} is {text!r}, expected a whole number as in synthetic:7'
            )
    from stream3r_ros.sources.room import DEFAULT_RATE_HZ, RoomWalk

    try:
        path_seed = int(path) if path else None
        return RoomWalk.of(int(seed), frames, image_hw, rate_hz or DEFAULT_RATE_HZ, path_seed)
    except ValueError as error:
        raise SourceError(f'{spec} cannot be made: {error}') from error
